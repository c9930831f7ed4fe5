// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cli/serve.h"

#include "core/cli/server.h"
#include "core/error.h"
#include "core/text/echo.h"

#include <chrono>
#include <csignal>
#include <exception>
#include <fcntl.h>
#include <iostream>
#include <stdexcept>
#include <string>
#include <thread>
#include <unistd.h>

#ifdef __linux__
#include <sys/prctl.h>
#endif

namespace warplight::cli {
namespace {

/// An experiment that does not look at its cancel flag must not keep the process: after this long it ends all the same.
void endWithin(std::chrono::seconds patience) {
    std::thread([patience] {
        std::this_thread::sleep_for(patience);
        ::_exit(0);
    }).detach();
}

} // namespace

int serve(const lab::Registry& registry) {
    std::signal(SIGPIPE, SIG_IGN); // a client that went away is an error of write, not the end of the process
#ifdef __linux__
    // No engine outlives the thread that started it: clients start it from one that lives as long as they do.
    prctl(PR_SET_PDEATHSIG, SIGKILL);
#endif
    // Frames go to a private copy of standard output; whatever else prints goes to standard error.
    const int output = ::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
    ::dup2(STDERR_FILENO, STDOUT_FILENO);
    MessageChannel channel(STDIN_FILENO, output);
    // Only a new process gets the GPU back: the client is told, and starts one.
    Server server(registry, channel, [](const std::string& sentence) {
        std::cerr << "warplight-cli: " << sentenceOf(std::runtime_error(sentence)) << std::endl;
        ::_exit(1);
    });
    try {
        while (const auto message = channel.read())
            if (!server.handle(*message))
                break;
    } catch (const InputError& error) {
        std::cerr << "warplight-cli: " << sentenceOf(error) << '\n';
        endWithin(std::chrono::seconds(2));
        return 2;
    } catch (const ClientGone&) {
    } catch (const std::exception& error) {
        std::cerr << "warplight-cli: " << sentenceOf(error) << std::endl;
        ::_exit(1);
    }
    endWithin(std::chrono::seconds(2));
    return 0;
}

} // namespace warplight::cli
