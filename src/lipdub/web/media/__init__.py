"""What the studio's page shows of a film: tables of frames, files that browsers play, peaks of sound, faces."""
