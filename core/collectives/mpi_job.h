// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <filesystem>
#include <string>
#include <sys/types.h>
#include <vector>

namespace warplight::collectives {

/// mpirun on the PATH, and the program that it starts (WARPLIGHT_RANK in the environment, or warplight-rank beside this
/// program). Empty when there is none.
std::filesystem::path findMpirun();
std::filesystem::path findRankProgram();

/// A folder of its own that goes with it.
class PrivateFolder {
  public:
    explicit PrivateFolder(const std::filesystem::path& in); ///< throws std::runtime_error
    ~PrivateFolder();
    PrivateFolder(const PrivateFolder&) = delete;
    PrivateFolder& operator=(const PrivateFolder&) = delete;
    void remove();
    const std::filesystem::path path; ///< with this process's id in its name
};

/// Removes what runs that were killed have left of such folders: where the process is gone, and as far as they are
/// empty. (What it does not see as alive may live in another container with the same /tmp.)
void removeLeftFolders(const std::filesystem::path& in);
/// In all places where they may be.
void removeLeftFolders();

/// mpirun as a child process: what it starts runs on this machine, without network, as any user. What it and its ranks
/// print is kept as far as somebody would read it.
class MpiJob {
  public:
    /// Starts that many processes of `program`. Throws std::runtime_error.
    MpiJob(int ranks, const std::filesystem::path& program, const std::vector<std::string>& arguments);
    ~MpiJob(); ///< end()
    MpiJob(const MpiJob&) = delete;
    MpiJob& operator=(const MpiJob&) = delete;

    bool hasEnded();          ///< looks, does not wait
    std::string howItEnded(); ///< "mpirun ended with exit code 1: ...what it printed"
    void readOutput();        ///< to be called now and then, or it stops at a full pipe
    /// All ranks have joined: memory that they share among themselves needs its name no longer.
    void forgetNames() { memoryFolder.remove(); }
    /// Asks it to end, and ends it when it does not within a moment. Its ranks are somebody else's to end.
    void end();

  private:
    void reap(int options);

    PrivateFolder folder, memoryFolder;
    pid_t child = -1;
    int status = 0;
    int output = -1;
    std::string text;
};

} // namespace warplight::collectives
