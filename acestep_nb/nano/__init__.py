"""nano, the embedded model: its synthetic music, its networks at small widths, their training and evaluation."""
