"""How good a detector is, at the terms of the DeepLesion literature; numpy alone, for anyone's detections."""
