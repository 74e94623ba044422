"""Affidavit over HTTP: the api process, its workers, the command line and the pictures."""
