"""The dataset: patients, lesions, releases, and how they come to be."""
