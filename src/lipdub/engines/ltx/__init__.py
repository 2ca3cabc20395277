"""The ``ltx`` engine: the Dub-It IC-LoRA on LTX-2.3, in two stages. Needs the extra ``ltx`` (torch, diffusers).

``checkpoint`` reads the published files into diffusers' modules (``names`` and ``configure`` say how they map),
``lora`` the adapter; ``prompt`` and ``text`` make the words a context, ``picture`` and ``sound`` make the source
latents, ``tokens`` lays them out, ``transformer`` and ``sampler`` denoise, ``tiling`` keeps the memory flat,
``pipeline`` tells the story.

Around it is the engine, which needs no torch until it works: ``engine`` answers looks; ``options`` and ``record`` are
what it is told and knows; ``runs`` and ``clock`` say which frames are made, at which instants; ``window`` is what the
model sees, ``lines`` what it is told to say, ``voice`` what it hears, ``model`` the door to it (``echo`` stands in);
``reel`` makes windows, ``align`` and ``colour`` bring them back in place and light, ``join`` makes them one, ``take``
keeps them; ``mask`` says where they show.

The method is that of LTX-2.3 Dub-It (JUST-DUB-IT, arXiv 2601.22143); the networks are diffusers' (Apache-2.0).
"""
