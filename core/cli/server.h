// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/cli/life_signs.h"
#include "core/cli/message_channel.h"
#include "core/lab/experiment.h"

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace warplight::cli {

/// The engine behind the protocol: one thread reads and answers what needs no work, so that it always hears; one checks
/// settings, for which files may have to be read; one runs experiments; one answers tiles, probes and selections beside
/// it.
class Server {
  public:
    /// `lost` gets the sentence when a GPU takes no further work from this process, and when its answers cannot be
    /// written; the run has ended with it by then.
    Server(const lab::Registry& registry, MessageChannel& channel, std::function<void(const std::string&)> lost);
    ~Server(); ///< cancels everything and waits for the threads

    /// Handles one message. Returns false for `quit`.
    bool handle(const nlohmann::json& message);

  private:
    /// A run that is going on or is kept so that its figures can be asked about.
    struct KeptRun {
        std::shared_ptr<std::atomic<bool>> cancel = std::make_shared<std::atomic<bool>>(false);
        std::shared_ptr<lab::Run> run;
        std::atomic<bool> going{true};
        std::vector<lab::Parameter> live; ///< of its experiment, once it has begun; the checker's
    };
    struct Kind; ///< of requests: who handles them, and what their failure is about
    static const Kind* kindOf(std::string_view type); ///< null: not known
    /// A `check`, a `run` or an `adjust` whose settings are not checked yet.
    struct Asked {
        nlohmann::json message;
        std::function<void()> check; ///< checks them and goes on with it
    };
    using Kept = std::shared_ptr<KeptRun>;
    struct Question {
        nlohmann::json message;
        Kept run;
    };

    void sendFailed(const nlohmann::json& request, const std::string& sentence);
    void sendHello(const nlohmann::json& request);
    void sendChecked(const nlohmann::json& request);
    void sendPong(const nlohmann::json& request);
    void takeCheck(const nlohmann::json& request);
    void takeRun(const nlohmann::json& request);
    void takeAdjust(const nlohmann::json& request);
    void cancel(const nlohmann::json& request);
    void begin(const nlohmann::json& request, const Kept& run);
    void adjust(const nlohmann::json& request, KeptRun& run) const;
    void drop(lab::RunId id);
    void ask(const nlohmann::json& request);
    void dropTiles(const nlohmann::json& request);
    void forget(const nlohmann::json& request);

    void checkLoop();
    void runLoop();
    void guard(const nlohmann::json& request, const std::function<void()>& work);
    void answerLoop();
    void answer(const Question& question);
    void keep(lab::RunId id, const Kept& run);
    Kept find(lab::RunId id);

    const lab::Registry& registry;
    MessageChannel& channel;
    std::function<void(const std::string&)> deviceLost;
    std::mutex mutex;
    std::condition_variable changed;
    bool stopping = false;
    std::deque<std::function<void()>> work; ///< runs to do: at most the newest matters
    std::deque<Asked> asked;
    std::deque<Question> tiles, selections;
    std::list<std::pair<lab::RunId, Kept>> kept; ///< used last first
    Kept current;
    LifeSigns lifeSigns;
    std::thread checker, runner, answerer;
};

} // namespace warplight::cli
