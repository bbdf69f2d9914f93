"""nano, the embedded model: its synthetic music, its small networks, their training and evaluation."""
