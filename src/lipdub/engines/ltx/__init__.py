"""The ``ltx`` engine: the Dub-It IC-LoRA on LTX-2.3, in two stages. Needs the extra ``ltx`` (torch, diffusers).

``checkpoint`` reads the published files into diffusers' modules (``names`` and ``configure`` say how they map),
``lora`` the adapter; ``prompt`` and ``text`` make the words a context, ``picture`` and ``sound`` make the source
latents, ``tokens`` lays them out, ``transformer`` and ``sampler`` denoise, ``tiling`` keeps the memory flat,
``pipeline`` tells the story.

The method is that of LTX-2.3 Dub-It (JUST-DUB-IT, arXiv 2601.22143); the networks are diffusers' (Apache-2.0).
"""
