"""Labelled pictures from local folders, in the formats their makers publish."""
