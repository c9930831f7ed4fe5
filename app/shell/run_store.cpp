// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/shell/run_store.h"

#include "app/views/theme.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <variant>

namespace warplight::app {
namespace {

constexpr size_t mostRunsKept = 10; // of a page, besides the newest, the one shown and the pinned one

} // namespace

void RunStore::ask(const Page& page, lab::RunId run) { pages[page].newest = run; }

std::optional<RunStore::Page> RunStore::refuse(lab::RunId run) {
    if (runs.contains(run))
        return std::nullopt;
    for (auto& [page, about] : pages)
        if (about.newest == run) {
            about.newest = about.shown;
            return page;
        }
    return std::nullopt;
}

bool RunStore::apply(const lab::Frame& frame) {
    const lab::RunId id = lab::runOf(frame);
    if (const auto* started = std::get_if<lab::RunStarted>(&frame)) {
        Theme::keepColours(started->colours);
        runs.try_emplace(id, Held{std::make_shared<lab::RunRecord>(), nextAge++, Origin::Engine, false});
    }
    const auto held = runs.find(id);
    if (held == runs.end())
        return false;
    lab::RunRecord& record = *held->second.record;
    record.apply(frame);
    About& about = pages[QString::fromStdString(record.start().experiment)];
    const bool nothingToCome = record.ended() && record.ended()->outcome == lab::RunEnded::Outcome::Finished;
    if (about.newest == id && (!record.figures().empty() || nothingToCome || !about.shown))
        about.shown = id;
    return true;
}

/// Runs of one moment, with one's settings and duration to the nanosecond, are one.
std::optional<lab::RunId> RunStore::same(const lab::RunRecord& record) const {
    lab::RunStarted start = record.start();
    const std::optional<lab::RunEnded>& mine = record.ended();
    for (const auto& [id, held] : runs) {
        const std::optional<lab::RunEnded>& other = held.record->ended();
        if (!mine || !other || mine->seconds != other->seconds || mine->outcome != other->outcome)
            continue;
        start.run = held.record->start().run;
        if (start == held.record->start())
            return id;
    }
    return std::nullopt;
}

lab::RunId RunStore::take(lab::RunRecord record, Origin origin) {
    if (const auto here = origin == Origin::File ? same(record) : std::nullopt) {
        About& about = pages[QString::fromStdString(record.start().experiment)];
        about.newest = about.shown = here;
        runs.at(*here).saved = true;
        return *here;
    }
    const lab::RunId id = nextTaken++;
    Theme::keepColours(record.start().colours);
    About& about = pages[QString::fromStdString(record.start().experiment)];
    about.newest = about.shown = id;
    runs[id] = {std::make_shared<lab::RunRecord>(std::move(record)), nextAge++, origin, origin != Origin::Engine};
    return id;
}

const lab::RunRecord* RunStore::find(lab::RunId run) const {
    const auto held = runs.find(run);
    return held == runs.end() ? nullptr : held->second.record.get();
}

std::optional<lab::RunId> RunStore::aboutOf(const Page& page, std::optional<lab::RunId> About::*which) const {
    const auto about = pages.find(page);
    return about == pages.end() ? std::nullopt : about->second.*which;
}

std::optional<lab::RunId> RunStore::newest(const Page& page) const { return aboutOf(page, &About::newest); }
std::optional<lab::RunId> RunStore::shown(const Page& page) const { return aboutOf(page, &About::shown); }
std::optional<lab::RunId> RunStore::pinned(const Page& page) const { return aboutOf(page, &About::pinned); }

bool RunStore::isExample(lab::RunId run) const {
    const auto held = runs.find(run);
    return held != runs.end() && held->second.origin == Origin::Example;
}

void RunStore::togglePin(const Page& page) {
    About& about = pages[page];
    if (about.pinned)
        about.pinned.reset();
    else if (about.shown && find(*about.shown) && find(*about.shown)->ended())
        about.pinned = about.shown;
}

std::vector<RunStore::LetGo> RunStore::dropOld(const Page& page) {
    const About& about = pages[page];
    std::vector<std::pair<lab::RunId, const Held*>> old;
    for (const auto& [id, held] : runs)
        if (QString::fromStdString(held.record->start().experiment) == page && held.record->ended() &&
            about.newest != id && about.shown != id && about.pinned != id)
            old.emplace_back(id, &held);
    std::sort(old.begin(), old.end(), [](const auto& a, const auto& b) {
        return std::pair(!a.second->saved, a.second->age) < std::pair(!b.second->saved, b.second->age);
    });
    old.resize(old.size() - std::min(old.size(), mostRunsKept));
    std::vector<LetGo> gone;
    for (const auto& [id, held] : old) {
        if (held->origin != Origin::Example)
            gone.push_back({id, QString::fromStdString(held->record->start().startTime), held->saved});
        runs.erase(id);
    }
    return gone;
}

std::vector<const RunStore::Held*> RunStore::byAge() const {
    std::vector<const Held*> all;
    for (const auto& [id, held] : runs)
        all.push_back(&held);
    std::sort(all.begin(), all.end(), [](const Held* a, const Held* b) { return a->age < b->age; });
    return all;
}

std::vector<std::shared_ptr<const lab::RunRecord>> RunStore::own() const {
    std::vector<std::shared_ptr<const lab::RunRecord>> result;
    for (const Held* held : byAge())
        if (held->record->ended() && held->origin != Origin::Example)
            result.push_back(held->record);
    return result;
}

std::vector<const lab::RunRecord*> RunStore::ownShown() const {
    std::vector<const lab::RunRecord*> result;
    for (const auto& [page, about] : pages)
        if (const auto* record = about.shown ? find(*about.shown) : nullptr;
            record && record->ended() && !isExample(*about.shown))
            result.push_back(record);
    return result;
}

void RunStore::markSaved(const std::vector<std::shared_ptr<const lab::RunRecord>>& saved) {
    for (auto& [id, held] : runs)
        held.saved |= std::find(saved.begin(), saved.end(), held.record) != saved.end();
}

} // namespace warplight::app
