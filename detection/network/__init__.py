"""The paper's detector and the parts it is made of."""
