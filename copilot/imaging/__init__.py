"""Arithmetic on one image at a time, on NumPy and OpenCV: it knows of no files, sets or models."""
