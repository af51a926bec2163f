"""Using a finished model: its file, what runs it, pictures in and out. Knows no training methods; needs no torch."""
