"""The ``ltx`` engine: the Dub-It IC-LoRA on LTX-2.3, in two stages. Needs the extra ``ltx`` (torch, diffusers).

Modules with the networks: ``weights_folder`` finds the published files (``published``, ``hub`` downloads them) by their
headers (``safetensors_header``). ``checkpoint`` reads them into diffusers' modules (``tensor_names`` and
``module_config`` say how they map), ``lora`` the adapter. ``text_encoder`` and ``prompt_cache`` encode prompts,
``video_pixels`` and ``audio_latents`` convert picture and sound, ``tokens`` builds the token sequences, ``transformer``
and ``sampler`` denoise, ``tiling`` runs the VAE in tiles, ``memory`` plans what is held where, and ``pipeline`` runs
all.

Modules without torch: ``engine`` answers views, with its ``options`` and the ``studied_track``. ``run_schedule``
decides which frames are generated and ``frame_grid`` at which instants. ``run_renderer`` generates one run window by
window: ``head_crop`` is what the model sees, ``line_windows`` and ``prompt`` write its prompts, ``sound_window``
the sound beside it. ``align`` and ``colour_match`` correct the frames, ``join`` fades windows into each other,
``run_store`` stores the result and ``mask`` blends it in. ``window_model`` is the interface to the model, and
``fake_model`` a fake of it. ``diagnose`` says what this machine could do.

The method is that of LTX-2.3 Dub-It (JUST-DUB-IT, arXiv 2601.22143); the networks are diffusers' (Apache-2.0).
"""
