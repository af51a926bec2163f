from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from tests.methods.conftest import terms_and_gradients, unpaired_batch
from torch import Tensor

from tintype.methods import Cut, build_method
from tintype.recipe import load_recipe
from tintype.recipe.schema import Recipe

SMALL: dict[str, Any] = {
    "name": "small",
    "data": {"kind": "unpaired", "size": 16},
    "codec": {"kind": "rgb"},
    "generator": {"kind": "resnet", "filters": 4, "blocks": 4},
    "discriminator": {"kind": "patchgan", "filters": 4, "layers": 1, "norm": "instance"},
    "method": {"kind": "cut", "places": 20, "projection": 8},
    "training": {"steps": 10},
}


def built(*overrides: str) -> Cut:
    torch.manual_seed(0)
    method = build_method(load_recipe(Recipe.model_validate(SMALL), overrides))
    assert isinstance(method, Cut)
    return method


batch = unpaired_batch


def step_terms(method: Cut, number: int = 0) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    return terms_and_gradients(method, batch(number))


@pytest.mark.parametrize("generator", ["{kind: resnet, filters: 4, blocks: 1}", "{kind: unet, filters: 2, levels: 4}"])
def test_all_networks_learn_with_either_generator(generator: str) -> None:
    terms, gradients = step_terms(built(f"generator={generator}", "generator.norm=instance"))
    assert list(terms) == ["d/real", "d/fake", "g/adversarial", "g/nce", "g/nce_identity"]
    assert all(torch.isfinite(value) for value in terms.values())
    assert {name.split(".")[0] for name in gradients} == {"generator", "projector", "discriminator"}


@torch.no_grad()
def test_terms_are_what_the_paper_says() -> None:
    method, one = built("method.lambda_nce=3", "method.lambda_identity=2", "generator.norm=batch"), batch()
    generator, projector = method.networks["generator"], method.networks["projector"]
    terms = method.loss("generator", one, method.forward(one))
    made = generator(one.source)
    torch.testing.assert_close(terms["g/adversarial"], (method.networks["discriminator"](made) - 1).square().mean())
    for name, weight, picture in (("g/nce", 3, one.source), ("g/nce_identity", 2, one.target)):
        made = generator(picture)
        own, same = (made, *generator.encode(made)), (picture, *generator.encode(picture))
        places = method._places(list(own), one.step)
        layers = []
        for query, key in zip(projector(own, places), projector(same, places), strict=True):
            for ours, theirs in zip(query, key, strict=True):  # one picture, one place after the other
                cosines = [[float(F.cosine_similarity(a, b, dim=0)) / 0.07 for b in theirs] for a in ours]
                layers.append(F.cross_entropy(torch.tensor(cosines), torch.arange(len(cosines))))
        assert terms[name].item() == pytest.approx(weight * float(torch.stack(layers).mean()), rel=1e-4)


def test_joining_calls_changes_nothing_where_normalisation_is_by_picture() -> None:
    joined, plain = built(), built()
    plain.joined_generator = plain.joined_discriminator = False
    ours, theirs = step_terms(joined), step_terms(plain)
    for name, value in ours[0].items():
        torch.testing.assert_close(value, theirs[0][name], rtol=1e-5, atol=1e-6)
    for name, gradient in ours[1].items():
        torch.testing.assert_close(gradient, theirs[1][name], rtol=1e-3, atol=1e-5, msg=name)


def test_without_identity_the_generator_is_not_shown_pictures_of_the_target_domain() -> None:
    method, one = built("method.lambda_identity=0", "method.lambda_nce=10"), batch()
    out = method.forward(one)
    assert torch.equal(out.pictures, method.networks["generator"](one.source))
    assert set(method.loss("generator", one, out)) == {"g/adversarial", "g/nce"}


def test_keys_are_what_is_to_be_found_and_are_not_moved() -> None:
    method, one = built(), batch()
    out = method.forward(one)
    assert all(not one.requires_grad for one in out.maps)
    assert torch.equal(out.maps[0], torch.cat([one.source, one.target]))


def test_places_follow_from_seed_and_step() -> None:
    maps = [torch.zeros(1, 1, 16, 16), torch.zeros(1, 1, 4, 4)]
    method = built()
    ours, again, later, other = (
        one._places(maps, step) for one, step in ((method, 3), (built(), 3), (method, 4), (built("training.seed=1"), 3))
    )
    assert all(map(torch.equal, ours, again))
    assert not torch.equal(ours[0], later[0]) and not torch.equal(ours[0], other[0])
    assert [len(one) for one in ours] == [20, 16]
    assert len(ours[0].unique()) == 20 and ours[0].max() < 256


def test_a_map_of_one_place_is_left_out() -> None:
    method = built("generator={kind: unet, filters: 2, levels: 4, norm: instance}")
    assert method.networks["generator"].encode(batch().source)[-1].shape[2:] == (1, 1)
    terms, _ = step_terms(method)
    layers = built("generator={kind: unet, filters: 2, levels: 3, norm: instance}")
    assert float(terms["g/nce"]) > 1 and float(step_terms(layers)[0]["g/nce"]) > 1


def test_the_discriminator_phase_leaves_the_generator_alone() -> None:
    method, one = built(), batch()
    out = method.forward(one)
    torch.stack(list(method.loss("discriminator", one, out).values())).sum().backward()
    assert all(p.grad is None for name in ("generator", "projector") for p in method.networks[name].parameters())
    assert set(method.take_health()) == {"d/accuracy_real", "d/accuracy_fake"}
    assert method.take_health() == {}
