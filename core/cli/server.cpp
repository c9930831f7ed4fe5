// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cli/server.h"

#include "core/cli/machine.h"
#include "core/cli/run_once.h"
#include "core/error.h"
#include "core/lab/json.h"
#include "core/text/echo.h"

#include <algorithm>
#include <cstdint>
#include <exception>
#include <fmt/format.h>
#include <iterator>
#include <limits>
#include <map>
#include <string>
#include <string_view>
#include <utility>

namespace warplight::cli {
namespace {

using nlohmann::json;

constexpr size_t runsKept = 8; // as docs/protocol.md promises

[[noreturn]] void refuse(const json& message, const char* name, const char* is, const std::string& expected) {
    throw InputError(fmt::format("request '{}': member '{}' is {}, expected {}", message["type"].get<std::string>(),
                                 name, message.contains(name) ? is : "missing", expected));
}

/// A whole number of the message, of 63 bits; throws InputError naming it.
uint64_t number(const json& message, const char* name) {
    constexpr int64_t most = std::numeric_limits<int64_t>::max();
    const std::string expected = fmt::format("a whole number from 0 to {}", most);
    const auto found = message.find(name);
    if (found == message.end() || !found->is_number_integer())
        refuse(message, name, "no whole number", expected);
    if (found->is_number_unsigned() ? found->get<uint64_t>() > uint64_t{most} : found->get<int64_t>() < 0)
        refuse(message, name, "out of range", expected);
    return found->get<uint64_t>();
}

std::string text(const json& message, const char* name) {
    if (!message.contains(name) || !message[name].is_string())
        refuse(message, name, "no text", "text");
    return message[name].get<std::string>();
}

std::map<std::string, lab::Value> settingsOf(const json& message, const lab::Description& description,
                                             std::map<std::string, std::string>* errors) {
    std::map<std::string, lab::Value> values;
    const json settings = message.contains("settings") ? message["settings"] : json::object();
    if (!settings.is_object())
        throw InputError(fmt::format("request '{}': member 'settings' is no map, expected names with values",
                                     text(message, "type")));
    for (const auto& [name, value] : settings.items()) {
        const auto parameter = std::find_if(description.parameters.begin(), description.parameters.end(),
                                            [&, &id = name](const auto& p) { return p.id == id; });
        try {
            if (parameter == description.parameters.end())
                throw InputError(fmt::format("there is no setting '{}'", echoed(name)));
            lab::Value read = lab::valueFromJson(*parameter, value);
            lab::checkValue(*parameter, read);
            values[name] = std::move(read);
        } catch (const InputError& error) {
            if (!errors)
                throw;
            (*errors)[echoed(name)] = sentenceOf(error);
        }
    }
    return values;
}

/// What the experiment says of itself beside the settings of a message, some of which may decide about others.
lab::Description describedFor(const lab::Experiment& experiment, const json& message) {
    return lab::describedBeside(experiment, [&](const lab::Description& description) {
        std::map<std::string, std::string> later; // what is wrong is said when all parameters are known
        return settingsOf(message, description, &later);
    });
}

} // namespace

Server::Server(const lab::Registry& registry, MessageChannel& channel, std::function<void(const std::string&)> lost)
    : registry(registry),
      channel(channel),
      deviceLost(std::move(lost)),
      checker([this] { checkLoop(); }),
      runner([this] { runLoop(); }),
      answerer([this] { answerLoop(); }) {}

Server::~Server() {
    {
        const std::lock_guard lock(mutex);
        stopping = true;
        for (const auto& [id, run] : kept)
            *run->cancel = true;
    }
    changed.notify_all();
    checker.join();
    runner.join();
    answerer.join();
}

struct Server::Kind {
    std::string_view type;
    void (Server::*handle)(const json&);
    bool leavesRunAlone = false; ///< where it fails the run that it names goes on as before: the answer names none
};

const Server::Kind* Server::kindOf(std::string_view type) {
    static const Kind kinds[] = {{"hello", &Server::sendHello},
                                 {"ping", &Server::sendPong},
                                 {"check", &Server::takeCheck},
                                 {"run", &Server::takeRun},
                                 {"adjust", &Server::takeAdjust, true},
                                 {"cancel", &Server::cancel},
                                 {"tile", &Server::ask},
                                 {"probe", &Server::ask},
                                 {"select", &Server::ask},
                                 {"dropTiles", &Server::dropTiles},
                                 {"forget", &Server::forget}};
    const auto found = std::find_if(std::begin(kinds), std::end(kinds), [&](const Kind& k) { return k.type == type; });
    return found == std::end(kinds) ? nullptr : found;
}

bool Server::handle(const json& message) {
    const std::string type = message["type"].get<std::string>();
    try {
        if (type == "quit")
            return false;
        const Kind* kind = kindOf(type);
        if (!kind)
            throw InputError(
                fmt::format("request '{}' is not known, expected one that docs/protocol.md lists", echoed(type)));
        (this->*kind->handle)(message);
    } catch (const InputError& error) {
        sendFailed(message, sentenceOf(error));
    }
    return true;
}

/// Whatever goes wrong with a request is its answer.
void Server::guard(const json& request, const std::function<void()>& work) {
    try {
        try {
            work();
        } catch (const Cancelled&) {
        } catch (const OutputError&) {
            throw;
        } catch (const std::exception& error) {
            sendFailed(request, sentenceOf(error));
            if (dynamic_cast<const DeviceLost*>(&error))
                deviceLost(error.what());
        }
    } catch (const ClientGone&) { // the reader sees its end, too
    } catch (const OutputError& error) {
        deviceLost(error.what());
    }
}

void Server::sendFailed(const json& request, const std::string& sentence) {
    json answer{{"type", "failed"}, {"message", sentence}};
    const Kind* kind = kindOf(request.value("type", ""));
    for (const char* name : {"id", "run", "figure"}) {
        const auto found = request.find(name);
        if (found != request.end() && (!kind || !kind->leavesRunAlone || std::string_view(name) == "id") &&
            (found->is_number() || (found->is_string() && found->get_ref<const std::string&>().size() <= longestEcho)))
            answer[name] = *found;
    }
    channel.write(answer);
}

void Server::sendHello(const json& request) {
    json experiments = json::array(), deviceList = json::array();
    for (const lab::Experiment* experiment : registry.all())
        experiments.push_back(lab::toJson(experiment->describe()));
    for (const auto& device : devices())
        deviceList.push_back(
            {{"id", device.id}, {"title", device.title}, {"detail", device.detail}, {"available", device.available}});
    channel.write({{"type", "hello"},
                   {"id", number(request, "id")},
                   {"protocol", 1},
                   {"version", WARPLIGHT_VERSION},
                   {"machine", lab::toJson(thisMachine())},
                   {"devices", deviceList},
                   {"experiments", experiments}});
}

void Server::sendChecked(const json& request) {
    const lab::Experiment& experiment = registry.find(text(request, "experiment"));
    std::map<std::string, std::string> errors;
    json answer{{"type", "checked"}, {"id", number(request, "id")}, {"estimatedSeconds", 0.0}};
    try {
        const lab::Description description = describedFor(experiment, request);
        const auto values = settingsOf(request, description, &errors);
        answer["parameters"] = lab::toJson(description)["parameters"];
        if (errors.empty())
            answer["estimatedSeconds"] = experiment.estimatedSeconds(lab::Settings(description.parameters, values));
    } catch (const OutputError&) {
        throw;
    } catch (const std::exception& error) {
        errors[""] = sentenceOf(error);
    }
    answer["errors"] = errors;
    channel.write(answer);
}

void Server::sendPong(const json& request) {
    channel.write({{"type", "pong"}, {"id", number(request, "id")}, {"stalledSeconds", lifeSigns.stalledSeconds()}});
}

void Server::takeCheck(const json& request) {
    text(request, "experiment");
    number(request, "id");
    const std::lock_guard lock(mutex);
    asked.push_back({request, [this, request] { sendChecked(request); }});
    changed.notify_all();
}

/// From here on the run can be cancelled and forgotten.
void Server::takeRun(const json& request) {
    text(request, "experiment");
    const lab::RunId id = number(request, "run");
    const auto run = std::make_shared<KeptRun>();
    run->run = std::make_shared<lab::Run>(
        id, text(request, "device"), [this](const lab::Frame& frame) { channel.write(lab::toJson(frame)); },
        run->cancel);
    const std::lock_guard lock(mutex);
    if (std::any_of(kept.begin(), kept.end(), [&](const auto& entry) { return entry.first == id; }))
        throw InputError(fmt::format("run {} has been used, expected a new number", id));
    keep(id, run);
    asked.push_back({request, [this, request, run] {
                         try {
                             begin(request, run);
                         } catch (...) {
                             const std::lock_guard guarded(mutex);
                             drop(run->run->id());
                             throw;
                         }
                     }});
    changed.notify_all();
}

/// Nothing follows for a run that is over.
void Server::takeAdjust(const json& request) {
    number(request, "id");
    const Kept run = find(number(request, "run"));
    if (!run || !run->going)
        return;
    const std::lock_guard lock(mutex);
    asked.push_back({request, [this, request, run] { adjust(request, *run); }});
    changed.notify_all();
}

void Server::cancel(const json& request) {
    if (const Kept run = find(number(request, "run")); run && run->going)
        *run->cancel = true;
}

void Server::begin(const json& request, const Kept& kept) {
    lab::Experiment& experiment = registry.find(text(request, "experiment"));
    const lab::Description description = describedFor(experiment, request);
    const std::string& device = kept->run->device();
    if (!lab::runsOn(description, device))
        throw InputError(fmt::format("device '{}': {} does not run on it, expected one of {}", echoed(device),
                                     description.id, fmt::join(description.devices, ", ")));
    const lab::Settings settings(description.parameters, settingsOf(request, description, nullptr));
    std::copy_if(description.parameters.begin(), description.parameters.end(), std::back_inserter(kept->live),
                 [](const lab::Parameter& parameter) { return parameter.live; });
    const std::lock_guard lock(mutex);
    if (current)
        *current->cancel = true;
    work.push_back([this, kept, &experiment, settings] {
        lifeSigns.begin(kept->run, kept->cancel);
        const std::exception_ptr failure = runOnce(
            experiment, settings, *kept->run, [this](const lab::Frame& frame) { channel.write(lab::toJson(frame)); });
        lifeSigns.end();
        try {
            if (failure)
                std::rethrow_exception(failure);
        } catch (const DeviceLost& error) {
            deviceLost(error.what());
        } catch (const OutputError&) {
            throw;
        } catch (const std::exception&) { // the run told how it ended
        }
        // From here on the flag stops answers about the run instead.
        kept->going = false;
        *kept->cancel = false;
    });
    current = kept;
    changed.notify_all();
}

void Server::adjust(const json& request, KeptRun& kept) const {
    lab::Description onlyLive;
    onlyLive.parameters = kept.live;
    std::map<std::string, std::string> errors;
    const auto values = settingsOf(request, onlyLive, &errors);
    for (const auto& [name, sentence] : errors) {
        const bool known =
            std::any_of(kept.live.begin(), kept.live.end(), [&, &id = name](const auto& p) { return p.id == id; });
        throw InputError(known ? sentence : fmt::format("setting '{}' does not move while a run goes on", name));
    }
    kept.run->adjust(values);
}

void Server::ask(const json& request) {
    const Kept run = find(number(request, "run"));
    if (!run)
        throw InputError(fmt::format("run {} is not kept any more: run it again", number(request, "run")));
    text(request, "figure");
    const bool tile = request["type"] == "tile";
    if (!tile)
        number(request, "id");
    for (const char* name : {"level", "tileRow", "tileCol", "row", "col"})
        if (tile == (name[0] == 't' || name[0] == 'l'))
            number(request, name);
    const std::lock_guard lock(mutex);
    (tile ? tiles : selections).push_back({request, run});
    changed.notify_all();
}

void Server::dropTiles(const json& request) {
    const lab::RunId id = number(request, "run");
    const std::string figure = text(request, "figure");
    const std::lock_guard lock(mutex);
    std::erase_if(tiles, [&](const Question& q) { return q.run->run->id() == id && q.message["figure"] == figure; });
}

void Server::forget(const json& request) {
    const lab::RunId id = number(request, "run");
    const std::lock_guard lock(mutex);
    drop(id);
}

void Server::drop(lab::RunId id) {
    for (const auto& [keptId, run] : kept)
        if (keptId == id)
            *run->cancel = true;
    std::erase_if(kept, [&](const auto& entry) { return entry.first == id; });
    for (auto* questions : {&tiles, &selections})
        std::erase_if(*questions, [&](const Question& q) { return q.run->run->id() == id; });
}

/// Instead of the oldest that has ended: one that is still to run, or runs, must hear its cancel.
void Server::keep(lab::RunId id, const Kept& run) {
    kept.emplace_front(id, run);
    while (kept.size() > runsKept) {
        const auto oldest =
            std::find_if(kept.rbegin(), kept.rend(), [](const auto& entry) { return !entry.second->going; });
        if (oldest == kept.rend())
            return;
        kept.erase(std::next(oldest).base());
    }
}

Server::Kept Server::find(lab::RunId id) {
    const std::lock_guard lock(mutex);
    const auto found = std::find_if(kept.begin(), kept.end(), [&](const auto& entry) { return entry.first == id; });
    if (found == kept.end())
        return nullptr;
    kept.splice(kept.begin(), kept, found);
    return found->second;
}

void Server::checkLoop() {
    for (;;) {
        Asked next;
        {
            std::unique_lock lock(mutex);
            changed.wait(lock, [&] { return stopping || !asked.empty(); });
            if (stopping)
                return;
            next = std::move(asked.front());
            asked.pop_front();
        }
        guard(next.message, next.check);
    }
}

void Server::runLoop() {
    for (;;) {
        std::function<void()> next;
        {
            std::unique_lock lock(mutex);
            changed.wait(lock, [&] { return stopping || !work.empty(); });
            if (work.empty())
                return;
            next = std::move(work.front());
            work.pop_front();
        }
        guard(json::object(), next);
        const std::lock_guard lock(mutex);
        if (work.empty())
            current = nullptr;
    }
}

void Server::answerLoop() {
    for (;;) {
        Question next;
        {
            std::unique_lock lock(mutex);
            changed.wait(lock, [&] { return stopping || !tiles.empty() || !selections.empty(); });
            if (stopping)
                return;
            // What a person clicked comes first; of the tiles the newest, since the view has moved on from the others.
            if (!selections.empty()) {
                next = std::move(selections.front());
                selections.pop_front();
            } else {
                next = std::move(tiles.back());
                tiles.pop_back();
            }
        }
        guard(next.message, [&] { answer(next); });
    }
}

void Server::answer(const Question& question) {
    const json& m = question.message;
    lab::Run& run = *question.run->run;
    const std::string type = text(m, "type"), figure = text(m, "figure");
    const auto signedNumber = [&](const char* name) { return static_cast<int64_t>(number(m, name)); };
    if (type == "select") {
        const auto handler = run.selectionHandler(figure);
        if (!handler)
            throw InputError(fmt::format("figure '{}' cannot be selected from", echoed(figure)));
        handler(run, signedNumber("row"), signedNumber("col"));
        channel.write({{"type", "selected"},
                       {"id", m["id"]},
                       {"run", m["run"]},
                       {"figure", figure},
                       {"row", m["row"]},
                       {"col", m["col"]}});
        return;
    }
    const auto source = run.tileSource(figure);
    if (!source)
        throw InputError(fmt::format("figure '{}' has no tiles to ask for", echoed(figure)));
    if (type == "probe") {
        channel.write({{"type", "probed"},
                       {"id", m["id"]},
                       {"run", m["run"]},
                       {"figure", figure},
                       {"row", m["row"]},
                       {"col", m["col"]},
                       {"lines", source->probe(signedNumber("row"), signedNumber("col"))}});
        return;
    }
    const int level = static_cast<int>(std::min<uint64_t>(number(m, "level"), std::numeric_limits<int>::max()));
    lab::TilePut tile = source->tile(level, signedNumber("tileRow"), signedNumber("tileCol"), *question.run->cancel);
    tile.figure = figure;
    run.putTile(std::move(tile));
}

} // namespace warplight::cli
