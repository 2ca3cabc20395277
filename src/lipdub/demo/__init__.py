"""What ``lipdub demo`` makes: a portrait that speaks, and its dub. Only the command line knows this room.

``make`` the demo · ``voice`` what it says, recorded · ``still`` a portrait that moves · ``talk`` one that speaks ·
``film`` new clips from pictures and sound.
"""
