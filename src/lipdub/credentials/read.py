"""Content credentials read back from a file, or from the file beside it: who signed it, when, what was changed, and
whether it still is what was signed. No network is used."""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from lipdub.credentials.sign import EMBEDDED, import_c2pa, media_type, sidecar_name
from lipdub.disk.os_errors import cause_of
from lipdub.errors import InputError

State = Literal["trusted", "untrusted", "expired", "tampered", "invalid"]
"""What is known of a credential. trusted: valid, and a trusted certificate vouches for the signer; untrusted: valid,
and nobody vouches for the signer; expired: the certificate was not valid any more; tampered: the file or the credential
was changed after it was signed; invalid: something else is wrong with it."""

_NONE = ("ManifestNotFound", "NotSupported")
"""How errors of the library begin that mean that a file bears no credentials."""

_UNTRUSTED = "signingCredential.untrusted"
_EXPIRED = frozenset({"signingCredential.expired", "claimSignature.outsideValidity"})


@dataclass(frozen=True)
class Action:
    """What was done: its ``name`` after C2PA without "c2pa.", ``when`` (ISO 8601), a ``description``, the last part of
    the ``source_type`` after IPTC, and the ``spans`` (seconds, as text) in which it was done. "" and () if not told."""

    name: str
    when: str = ""
    description: str = ""
    source_type: str = ""
    spans: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Credential:
    """One signed record: the ``title`` of the file, who ``signer`` is and the organisation ``issuer``, both as the
    certificate says it, the program (``generator``), what was done (``actions``), and from which files the signed one
    was made (``ingredients``: title, relation, and the id of its own credential, "" if it has none)."""

    id: str
    title: str
    signer: str
    issuer: str
    generator: str
    actions: tuple[Action, ...] = ()
    ingredients: tuple[tuple[str, str, str], ...] = ()


@dataclass(frozen=True)
class CredentialsRead:
    """The credentials of a file, the newest first; what is known of the newest (``state``), and why (``problems``:
    codes of C2PA). ``earlier`` are codes of what is wrong with those of its ingredients. ``beside`` is the file that
    holds them (None: the file itself)."""

    state: State
    credentials: tuple[Credential, ...]
    problems: tuple[str, ...] = ()
    earlier: tuple[str, ...] = ()
    beside: Path | None = None


def read_credentials(file: Path, trust: Path | None = None) -> CredentialsRead | None:
    """The content credentials of ``file``; None if it bears none. ``trust``: a PEM file of certificates that vouch for
    signers.

    Raises ``InputError`` if a file cannot be read, ``MissingExtra``.
    """
    import_c2pa()
    import c2pa

    settings: dict[str, Any] = {"verify": {"remote_manifest_fetch": False, "ocsp_fetch": False}}
    if trust is not None:
        settings["trust"] = {"trust_anchors": _certificates(trust)}
        settings["verify"]["verify_trust"] = True
    beside = sidecar_name(file)
    held = file.suffix.lower() not in EMBEDDED and beside.is_file()
    try:
        with ExitStack() as stack:
            context = stack.enter_context(c2pa.Context.from_dict(settings))
            source = stack.enter_context(file.open("rb"))
            credential = beside.read_bytes() if held else None
            reader = c2pa.Reader(media_type(file), source, credential, context=context)
            told = json.loads(stack.enter_context(reader).json())
    except c2pa.C2paError as damaged:
        what = " ".join(str(damaged).split()).rstrip(".")
        if what.startswith(_NONE):
            return None
        return CredentialsRead("tampered", (), (f"it cannot be read: {what}",), beside=beside if held else None)
    except OSError as refused:
        cause = cause_of(refused)
        raise InputError(
            f"cannot be read: {cause.what}", file=refused.filename or file, remedy=cause.remedy
        ) from refused
    return _read(told, beside if held else None)


def _certificates(trust: Path) -> str:
    from cryptography.x509 import load_pem_x509_certificates

    try:
        data = trust.read_bytes()
        load_pem_x509_certificates(data)
    except OSError as refused:
        cause = cause_of(refused)
        raise InputError(f"cannot be read: {cause.what}", file=trust, remedy=cause.remedy) from refused
    except ValueError as wrong:
        raise InputError("there is no certificate in it", file=trust, remedy="Give certificates in PEM") from wrong
    return data.decode("ascii", "replace")


def _read(told: dict[str, Any], beside: Path | None) -> CredentialsRead:
    manifests, active = told.get("manifests", {}), told.get("active_manifest", "")
    every = tuple(_credential(name, manifests[name]) for name in _chain(active, manifests))
    problems, earlier = _problems(told)
    return CredentialsRead(state_of(told.get("validation_state", ""), problems), every, problems, earlier, beside)


def _chain(active: str, manifests: Mapping[str, Any]) -> list[str]:
    """The ids of the credentials: the active one, and then those of its ingredients, and so on."""
    waiting, out = [active], []
    while waiting:
        name = waiting.pop(0)
        if name in manifests and name not in out:
            out.append(name)
            waiting += [one.get("active_manifest") or "" for one in manifests[name].get("ingredients", ())]
    return out


def _problems(told: Mapping[str, Any]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Codes of what is wrong with the newest credential, and with those before it."""
    results = told.get("validation_results") or {}
    deltas = [delta.get("validationDeltas") for delta in results.get("ingredientDeltas") or ()]
    used = [one for each in told.get("manifests", {}).values() for one in each.get("ingredients") or ()]
    recorded = [(one.get("validation_results") or {}).get("activeManifest") for one in used]
    before = [code for found in (*deltas, *recorded) for code in _failures(found) if code != _UNTRUSTED]
    return tuple(dict.fromkeys(_failures(results.get("activeManifest")))), tuple(dict.fromkeys(before))


def _failures(found: Mapping[str, Any] | None) -> list[str]:
    return [str(one["code"]) for one in (found or {}).get("failure") or ()]


def state_of(state: str, problems: Iterable[str]) -> State:
    """What is known of a credential, from the library's own ``state`` (Trusted, Valid, Invalid) and its codes of
    ``problems``."""
    found = set(problems)
    if any(code.endswith((".mismatch", ".missing", ".malformed")) for code in found):
        return "tampered"
    if found & _EXPIRED:
        return "expired"
    if state == "Trusted":
        return "trusted"
    return "untrusted" if state == "Valid" and found <= {_UNTRUSTED} else "invalid"


def _credential(name: str, told: Mapping[str, Any]) -> Credential:
    signed = told.get("signature_info") or {}
    made = (told.get("claim_generator_info") or [{}])[0]
    return Credential(
        id=name,
        title=told.get("title") or "",
        signer=signed.get("common_name") or "",
        issuer=signed.get("issuer") or "",
        generator=" ".join(filter(None, (made.get("name"), made.get("version")))),
        actions=tuple(_actions(told.get("assertions") or ())),
        ingredients=tuple(
            (one.get("title") or "", one.get("relationship") or "", one.get("active_manifest") or "")
            for one in told.get("ingredients") or ()
        ),
    )


def _actions(assertions: Iterable[Mapping[str, Any]]) -> Iterator[Action]:
    for assertion in assertions:
        if not str(assertion.get("label", "")).startswith("c2pa.actions"):
            continue
        for one in assertion.get("data", {}).get("actions", ()):
            spans = [
                (str(region["time"].get("start", "")), str(region["time"].get("end", "")))
                for change in one.get("changes") or ()
                for region in change.get("region") or ()
                if isinstance(region.get("time"), dict)
            ]
            yield Action(
                str(one.get("action", "")).removeprefix("c2pa."),
                str(one.get("when") or ""),
                str(one.get("description") or ""),
                str(one.get("digitalSourceType") or "").rpartition("/")[2],
                tuple(spans),
            )
