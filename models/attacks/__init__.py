"""Attacks on explanations: what certificates must withstand; a weak attack looks like strength."""
