"""Where along the body a slice lies: a regressor learns it from the order of slices and the distances between them.

Source: K. Yan, L. Lu, R. M. Summers, "Unsupervised body part regression via spatially self-ordering convolutional
neural networks", ISBI 2018 (SSBR). Django is not needed here.
"""
