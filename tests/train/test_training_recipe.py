"""Recipes: usual values, paths, and mistakes that are named."""

import json

import pytest

from lipdub.errors import InputError, OptionError
from lipdub.train.training_recipe import differences, read_recipe, recipe_of

LEAST = '[base]\nweights = "W"\n[data]\nfolder = "pairs"\n'


def read(tmp_path, text):
    path = tmp_path / "recipe.toml"
    path.write_text(text, encoding="utf-8")
    return read_recipe(path)


def test_two_paths_are_enough_and_are_taken_from_the_recipes_folder(tmp_path):
    recipe = read(tmp_path, LEAST)
    assert recipe.base.weights == str(tmp_path / "W")
    assert recipe.run.folder == str(tmp_path / "run")
    assert (recipe.lora.rank, recipe.lora.alpha, recipe.lora.dropout) == (128, 128.0, 0.0)
    assert (recipe.optimiser.lr, recipe.optimiser.audio_lr, recipe.optimiser.clip) == (2e-4, 1e-6, 1.0)
    assert (recipe.run.steps, recipe.noise.first_frame, recipe.data.background) == (2000, 0.1, 0.1)
    assert recipe.noise.shared
    assert recipe.run.gradient_checkpointing


@pytest.mark.parametrize(
    ("text", "what", "remedy"),
    [
        ("[lora]\nrnak = 3", "no key 'lora.rnak'", "Did you mean lora.rank?"),
        ("[noise]\nrank = 3", "no key 'noise.rank'", "Did you mean lora.rank?"),
        ("[optimizer]\nlr = 1", "no key 'optimizer'", "Did you mean optimiser?"),
        ("[optimiser]\nlearning_rate = 1", "no key 'optimiser.learning_rate'", "Did you mean"),
        ("[lora]\nrank = 0", "lora.rank is 0", ""),
        ("[lora]\nrank = 2.5", "lora.rank is 2.5, which is no whole number", ""),
        ("[noise]\nshift = true", "noise.shift is True, which is no number or text", ""),
        ('[noise]\nshift = "more"', "noise.shift is 'more'", "auto"),
        ('[base2]\nhold = "bf16"', "no key 'base2'", "Did you mean base?"),
        ('[validation]\nclips = ["a.mp4"]', "1 clips and 0 dub tracks", "one dub track"),
        ("[validation]\nsigmas = [0.0]", "not all above 0", ""),
        ('[optimiser]\nschedule = "step"', "optimiser.schedule is 'step'", "constant, linear, cosine"),
    ],
)
def test_mistakes_are_named_with_the_file(tmp_path, text, what, remedy):
    with pytest.raises(OptionError, match=what) as wrong:
        read(tmp_path, LEAST + text)
    assert remedy in wrong.value.remedy
    assert wrong.value.file == tmp_path / "recipe.toml"


def test_what_is_missing_or_no_toml_is_said(tmp_path):
    with pytest.raises(OptionError, match=r"data\.folder is missing"):
        read(tmp_path, '[base]\nweights = "W"')
    with pytest.raises(OptionError, match="lora is a section"):
        read(tmp_path, "lora = 3\n" + LEAST)
    with pytest.raises(InputError, match="no TOML"):
        read(tmp_path, "seed == 3")
    with pytest.raises(InputError, match="cannot be read"):
        read_recipe(tmp_path / "other.toml")


def test_what_may_change_between_two_parts_of_a_run():
    tables = {"base": {"weights": "a"}, "data": {"folder": "b"}}
    begun = json.loads(json.dumps(recipe_of(tables).as_dict()))
    later = recipe_of({**tables, "run": {"steps": 9, "keep": 5}, "validation": {"every": 3, "sigmas": [0.5]}})
    assert list(differences(later, begun)) == []
    moved = recipe_of({"base": {"weights": "c", "streamed": True, "device": "cpu"}, "data": {"folder": "d"}})
    assert list(differences(moved, begun)) == []
    other = recipe_of({**tables, "optimiser": {"lr": 1.0}, "run": {"ema": 0.5}, "seed": 1})
    assert list(differences(other, begun)) == [
        "optimiser.lr: 1.0, begun with 0.0002",
        "seed: 1, begun with 0",
        "run.ema: 0.5, begun with 0.0",
    ]
