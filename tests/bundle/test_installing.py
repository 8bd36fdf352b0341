"""A bundle goes live whole, or what was live stays."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from shopbot.bundle.installing import Done
from shopbot.bundle.shelf import KEPT, Shelf
from shopbot.checkpoint import CheckpointStore
from shopbot.config import home, load
from shopbot.config_file import effective
from shopbot.errors import BundleError, GateError, ModelCorruptError, ModelError


def state(fleet: Any) -> dict[str, bytes]:
    """Every file of the box's bundles and checkpoints, locks aside."""
    return {
        str(path.relative_to(fleet.home)): path.read_bytes()
        for path in sorted(fleet.home.rglob("*"))
        if path.is_file() and not path.name.endswith(".lock")
    }


def test_it_takes_effect_in_everything_that_is_opened(fleet: Any) -> None:
    fleet.use(fleet.home)
    assert fleet.hours() == "Nobody told me."
    seen: list[str] = []
    done = fleet.install(fleet.bundle("1"), progress=lambda result: seen.append(result.case.name))
    assert (done.manifest.id, done.is_new, done.golden) == ("acme-1", True, "1 of 1 golden cases passed.")
    assert seen == ["hours"]
    assert fleet.hours() == "From 9 to 18."
    config = load()
    assert (config.shop.name, config.model.slots, config.plugins["puppet"]["key_env"]) == ("Acme", 3, "ACME_KEY")
    origins = {setting.key: setting.origin for setting in effective(config, None, {})}
    assert (origins["shop.name"], origins["shop.currency"]) == ("bundle acme-1", "default")
    checkpoint = CheckpointStore(fleet.home).current()
    assert (checkpoint.manifest.name, checkpoint.manifest.gate.passed) == ("acme-1", True)
    assert fleet.install(fleet.bundle("1")) == Done(done.manifest, is_new=False)


def test_the_operators_own_file_wins_key_by_key(fleet: Any) -> None:
    fleet.install(fleet.bundle("1"))
    own = fleet.home / "shopbot.toml"
    own.write_text('[shop]\ncurrency = "€"\n[model]\nslots = 1\n[plugins.puppet]\nkey_env = "OWN"\n')
    config = load(own)
    assert (config.shop.name, config.shop.currency, config.model.slots) == ("Acme", "€", 1)
    assert config.plugins["puppet"] == {"folder": str(fleet.home / "bundles/acme-1/plugins/puppet"), "key_env": "OWN"}
    origins = {setting.key: setting.origin for setting in effective(config, own, {})}
    assert (origins["shop.name"], origins["model.slots"]) == ("bundle acme-1", str(own))


def test_a_running_bot_sees_the_switch(fleet: Any) -> None:
    store = CheckpointStore(fleet.home)
    stamps = [store.current_stamp()]
    for version in ("1", "2"):
        fleet.install(fleet.bundle(version))
        stamps.append(store.current_stamp())
    Shelf(fleet.home).rollback()
    assert store.current_stamp() == stamps[1]
    assert len(set(stamps)) == 3
    (fleet.home / "bundles" / "current").write_text("damaged")
    assert store.current_stamp(), "a turn is never stopped by the question"


def test_rollback_and_prune(fleet: Any) -> None:
    shelf, store = Shelf(fleet.home), CheckpointStore(fleet.home)
    with pytest.raises(BundleError, match="No bundle is in force"):
        shelf.rollback()
    for version in ("1", "2", "3", "10"):
        done = fleet.install(fleet.bundle(version, hours=f"From 9 to 18, version {version}."))
    assert KEPT == 3 and done.pruned == ("acme-1",)
    assert [(one.manifest.version, one.is_current) for one in shelf.bundles()] == [
        ("2", False),
        ("3", False),
        ("10", True),
    ]
    assert "acme-1" not in {manifest.name for manifest in store.list()}, "its checkpoint went with it"
    assert [shelf.rollback() for _ in range(3)] == ["acme-3", "acme-2", None]
    assert (fleet.current, store.current().is_shipped, fleet.hours()) == (None, True, "Nobody told me.")
    with pytest.raises(BundleError, match="No bundle is in force"):
        shelf.rollback()
    fleet.install(fleet.bundle("4"))
    assert [one.manifest.version for one in shelf.bundles()] == ["4"]


def test_rollback_brings_back_what_was_promoted_under_that_bundle(
    fleet: Any, tiny_model: Path, tiny_lora: Path
) -> None:

    store = CheckpointStore(fleet.home)
    fleet.add_checkpoint(fleet.home, "before")
    fleet.install(fleet.bundle("1"))
    assert store.current_name() == "acme-1", "a promotion of before does not outlive the installation"
    fleet.add_checkpoint(fleet.home, "under-one")
    assert store.current_name() == "under-one"
    fleet.install(fleet.bundle("2"))
    assert store.current_name() == "acme-2"
    names = []
    for _ in range(2):
        Shelf(fleet.home).rollback()
        names.append(store.current_name())
    assert names == ["under-one", "before"]


def test_older_and_other_bundles_are_refused_unless_told(fleet: Any) -> None:
    one, two, other = fleet.bundle("1.9"), fleet.bundle("1.10"), fleet.bundle("1", name="other")
    fleet.install(two)
    before = state(fleet)
    with pytest.raises(BundleError, match=r"'acme' 1\.9 is not newer than 1\.10"):
        fleet.install(one)
    with pytest.raises(BundleError, match="runs the bundle 'acme', this is 'other'"):
        fleet.install(other)
    assert state(fleet) == before
    fleet.install(one, allow_downgrade=True)
    assert fleet.current.id == "acme-1.9"
    fleet.install(other, allow_downgrade=True)
    assert fleet.current.id == "other-1"


def test_one_version_is_one_bundle(fleet: Any) -> None:
    fleet.install(fleet.bundle("1"))
    with pytest.raises(BundleError, match="Another bundle 'acme' 1 is on this box"):
        fleet.install(fleet.bundle("1", hours="From 9 to 18, as ever."))


def test_a_golden_set_that_fails_here(fleet: Any) -> None:
    fleet.install(fleet.bundle("1"))
    (fleet.home / "shopbot.toml").write_text('[plugins.puppet]\nfolder = ""\n')
    before = state(fleet)
    two = fleet.bundle("2")
    with pytest.raises(GateError, match=r"0 of 1 golden cases passed, at most 0 may fail\. bundle/hours: turn 1"):
        fleet.install(two)
    assert state(fleet) == before
    (fleet.home / "shopbot.toml").unlink()
    fleet.install(two)
    assert fleet.current.id == "acme-2"


def test_a_truncated_file_and_a_stranger(fleet: Any) -> None:
    fleet.install(fleet.bundle("1"))
    before = state(fleet)
    two = fleet.bundle("2")
    whole = two.read_bytes()
    two.write_bytes(whole[:-1])
    with pytest.raises(BundleError, match="truncated"):
        fleet.install(two)
    two.write_bytes(whole)
    (fleet.home / "trusted_keys").rename(fleet.home / "were_trusted")
    with pytest.raises(BundleError, match="trusts no key"):
        fleet.install(two)
    (fleet.home / "were_trusted").rename(fleet.home / "trusted_keys")
    assert state(fleet) == before


def test_a_wrong_base(fleet: Any, monkeypatch: pytest.MonkeyPatch, tiny_model: Path) -> None:
    from shopbot.first_start import ensure_model

    bundle = fleet.bundle("1")
    monkeypatch.setenv("SHOPBOT_MODEL__BACKEND", "auto")
    wrong = fleet.folder / "wrong.gguf"
    shutil.copy(tiny_model, wrong)
    with wrong.open("r+b") as file:
        file.seek(-1, 2)
        file.write(b"?")
    monkeypatch.setenv("SHOPBOT_MODEL__SOURCE", str(wrong))

    def ensure(config: Any) -> None:
        ensure_model(config, say=lambda text: None, progress_bar=lambda title: pytest.fail("nothing is fetched"))

    before = state(fleet)
    with pytest.raises(ModelCorruptError, match="is expected"):
        fleet.install(bundle, ensure_base=ensure)
    monkeypatch.setenv("SHOPBOT_MODEL__SOURCE", str(fleet.folder / "none.gguf"))
    with pytest.raises(ModelError):
        fleet.install(bundle, ensure_base=lambda config: None)
    assert state(fleet) == before


def test_plugins_that_are_missing_or_of_another_version(fleet: Any) -> None:
    bundle, said = fleet.bundle("1"), list[str]()
    plugin = {"name": "puppet", "distribution": "puppet-plugin", "version": "2.0"}
    fleet.install(fleet.repack(bundle, {}, plugins=[plugin]), say=said.append)
    assert "Plugin 'puppet' is version 1.0 here, the bundle was built with 2.0" in said[0]
    assert "pip install puppet-plugin==2.0" in said[0]
    plugin = {"name": "loyalty-cards", "distribution": "acme-loyalty", "version": "1.4"}
    with pytest.raises(BundleError, match=r"not installed: loyalty-cards\. pip install acme-loyalty==1\.4"):
        fleet.install(fleet.repack(fleet.bundle("2"), {}, plugins=[plugin]))


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"store": {"url": "sqlite:////tmp/evil.db"}}, r"sets store\.url"),
        ({"server": {"host": "0.0.0.0"}}, r"sets server\.host"),
        ({"identity": {"token_secret": "known"}}, r"sets identity\.token_secret"),
        ({"model": {"source": "https://evil.example/x.gguf"}}, r"sets model\.source"),
        ({"plugins": {"puppet": {"folder": "/etc"}}}, "folder outside itself"),
        ({"plugins": {"puppet": {"folder": "plugins/puppet/../../.."}}}, "folder outside itself"),
        ({"shop": {"nmae": "x"}}, "nmae"),
        ({"shop": 3}, "shop"),
        ({"plugins": 3}, "plugins"),
        ([], "damaged"),
    ],
)
def test_settings_that_no_bundle_may_have(fleet: Any, settings: Any, why: str) -> None:
    from shopbot.errors import ShopbotError

    bundle, before = fleet.bundle("1"), state(fleet)
    with pytest.raises(ShopbotError, match=why):
        fleet.install(fleet.repack(bundle, {"settings.json": json.dumps(settings).encode()}))
    assert state(fleet) == before


@pytest.mark.parametrize(
    ("changes", "fields", "why"),
    [
        ({"golden.json": b"[]"}, {}, "not the one that the bundle names"),
        ({"golden.json": b"{"}, {}, "golden set is damaged"),
        ({"checkpoint/manifest.json": b"{}"}, {}, "name"),
        ({"checkpoint/lora.gguf": b"other"}, {}, "not the file of its manifest"),
        ({}, {"version": "7"}, "not the one that the bundle names"),
        ({}, {"base": {"source": "x", "sha256": "1" * 64}}, "not the one that the bundle names"),
        ({}, {"prompt_format": 9}, "not the one that the bundle names"),
    ],
)
def test_contents_that_do_not_belong_together(
    fleet: Any, changes: dict[str, bytes], fields: dict[str, Any], why: str
) -> None:
    from shopbot.errors import ShopbotError

    bundle, before = fleet.bundle("1"), state(fleet)
    with pytest.raises(ShopbotError, match=why):
        fleet.install(fleet.repack(bundle, changes, **fields))
    assert state(fleet) == before


def test_a_full_disk(fleet: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle, before = fleet.bundle("1"), state(fleet)
    # a disk cannot be filled in a test
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(1 << 30, 1 << 30, 1))
    with pytest.raises(BundleError, match=r"cannot be stored: .*are needed.* nothing has changed"):
        fleet.install(bundle)
    assert state(fleet) == before


def test_what_is_damaged_on_the_box_is_mended_by_installing_again(fleet: Any) -> None:
    bundle = fleet.bundle("1")
    fleet.install(bundle)
    text = fleet.home / "bundles" / "acme-1" / "plugins" / "puppet" / "hours.md"
    text.write_text("From 0 to 24.")
    assert fleet.install(bundle).is_new
    assert text.read_text() == "From 9 to 18."
    (fleet.home / "bundles" / "current").write_bytes(b"\0")
    with pytest.raises(BundleError, match="Install the bundle again"):
        load()
    fleet.install(bundle)
    assert fleet.hours() == "From 9 to 18."


def test_a_damaged_bundle_is_not_rolled_back_to(fleet: Any) -> None:
    for version in ("1", "2"):
        fleet.install(fleet.bundle(version))
    (fleet.home / "bundles" / "acme-1" / "settings.json").write_text("{}")
    with pytest.raises(BundleError, match="'acme-1' is damaged"):
        Shelf(fleet.home).rollback()
    assert fleet.current.id == "acme-2"


def test_a_pinned_checkpoint_is_told(fleet: Any) -> None:
    (fleet.home / "shopbot.toml").write_text('[model]\ncheckpoint = "first-party"\n')
    said: list[str] = []
    fleet.install(fleet.bundle("1"), say=said.append)
    assert "model.checkpoint is 'first-party'" in said[0]


@pytest.mark.parametrize("name", ["../x", ".hidden", "gone", 7, "a/b"])
def test_a_pointer_that_leads_away(fleet: Any, name: Any) -> None:
    (fleet.home / "bundles").mkdir(parents=True)
    (fleet.home / "bundles" / "current").write_text(json.dumps({"bundle": name, "previous": 3}))
    with pytest.raises(BundleError, match="not on this box"):
        load()
    assert home() == fleet.home
    assert Shelf(fleet.home).rollback() is None
    assert load().shop.name == "the shop"


def test_a_running_bot_follows_without_losing_a_turn(fleet: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from shopbot.bot import Bot
    from shopbot.first_start import ensure_store

    monkeypatch.setenv("SHOPBOT_MODEL__BACKEND", "auto")
    (fleet.folder / "cases.toml").write_text('[[case]]\nname = "anything"\n[[case.turn]]\nsay = "hello"\n')
    one, two = fleet.bundle("1"), fleet.bundle("2")
    fleet.install(one)
    config = load()
    ensure_store(config, say=lambda text: None)

    def follows(bot: Bot, wanted: str) -> bool:
        for _ in range(500):
            assert bot.session().ask("hello").text
            if bot.manifest is not None and bot.manifest.name == wanted:
                return True
        return False

    with Bot.open(config) as bot:
        assert follows(bot, "acme-1")
        fleet.install(two)
        assert follows(bot, "acme-2")
        Shelf(fleet.home).rollback()
        assert follows(bot, "acme-1")
