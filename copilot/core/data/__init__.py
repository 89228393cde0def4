"""Judging data sets from what was measured on their images: arrays in, outcomes out."""
