"""Keeping an installation whole: check it, back it up, bring it back."""
