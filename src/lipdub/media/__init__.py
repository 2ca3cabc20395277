"""Media files: the only package that opens containers.

Reading: ``container`` opening · ``packets`` demuxing, past damage and over joined recordings · ``frame_timestamps``
when each frame is shown · ``probe`` what is in a file · ``stated_duration`` what a file states against what was read ·
``read`` decoded frames · ``sound_read``, ``sound_blocks`` sound as floats · ``sound_decode``, ``sound_clock``,
``sound_damage`` decoded sound, its time, its damage · ``formats`` planes · ``window_rgb`` RGB of a window.

Writing: ``write`` the dubbed clip, encoded as a whole · ``segments`` the same from parts that are copied, or encoded by
any process: ``segment_cuts`` where they begin, ``splice`` what can be copied, ``h264_parameters``, ``segment_file``,
``segment_check`` the finished film · ``film_writer`` muxing · ``output_options`` what a user may choose ·
``output_errors`` what may go wrong · ``frame_encoder`` frames to packets · ``encoder``, ``encoder_settings`` which
encoder, and its settings ·
``stream_mapping`` what becomes of every stream · ``stream_copy`` streams copied without re-encoding · ``side_data``,
``sei`` HDR, captions and other side data · ``dub_track``, ``codec_delay``, ``sound_repair``, ``sound_pieces`` the dub
track · ``caption_track`` subtitles · ``languages`` language codes · ``sound_write`` sound files.
"""
