"""What ``lipdub demo`` makes: a portrait that speaks, and its dub. Only the command line imports this package.

``make`` the demo · ``speech_assets`` its recorded voices · ``idle_motion`` head motion and blinks of a portrait ·
``talking_portrait`` a portrait that speaks · ``media_files`` clips and sound files from pictures and samples.
"""
