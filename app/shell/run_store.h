// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/lab/record.h"

#include <QString>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <vector>

namespace warplight::app {

/// The runs that the window holds, in the order in which they came to it, and which of them each page is about.
///
/// A run is asked for, then begins, then has figures. Until it has some, its page goes on showing those of the run
/// before, which is what stays when it never begins or fails at once.
class RunStore {
  public:
    using Page = QString; ///< an experiment's id
    enum class Origin {
        Engine,
        File,   ///< a session: what is let go is still there
        Example ///< came with the program: never saved or exported
    };

    /// The page has asked for this run.
    void ask(const Page& page, lab::RunId run);
    /// The run asked for ends without having begun. The page that asked, which is about the run before again.
    std::optional<Page> refuse(lab::RunId run);
    /// Applies a frame; the first one of a run begins it. False for a run that is not here. Throws InputError as
    /// RunRecord does.
    bool apply(const lab::Frame& frame);
    /// Takes a finished run and makes its page be about it. One of a file that is here already is not taken twice.
    lab::RunId take(lab::RunRecord record, Origin origin);

    const lab::RunRecord* find(lab::RunId run) const;         ///< null: not begun, or let go
    std::optional<lab::RunId> newest(const Page& page) const; ///< the one last asked for or taken
    std::optional<lab::RunId> shown(const Page& page) const;  ///< the newest that has something to show
    std::optional<lab::RunId> pinned(const Page& page) const;
    bool isExample(lab::RunId run) const;
    void togglePin(const Page& page); ///< of the run shown, if it has ended

    struct LetGo {
        lab::RunId run;
        QString started; ///< ISO 8601 UTC
        bool saved;
    };
    /// Lets the page's runs go that are too many: those of a file first, then the oldest. Never the newest, the one
    /// shown, the pinned one.
    std::vector<LetGo> dropOld(const Page& page);

    /// Ended, no example; as they came. They stay as long as somebody has them, also when the page lets them go.
    std::vector<std::shared_ptr<const lab::RunRecord>> own() const;
    std::vector<const lab::RunRecord*> ownShown() const; ///< of each page the one shown
    /// These are in a file now.
    void markSaved(const std::vector<std::shared_ptr<const lab::RunRecord>>& saved);
    bool hasOwn() const { return !own().empty(); }

  private:
    struct Held {
        std::shared_ptr<lab::RunRecord> record;
        uint64_t age;
        Origin origin;
        bool saved;
    };
    struct About {
        std::optional<lab::RunId> newest, shown, pinned;
    };
    std::optional<lab::RunId> same(const lab::RunRecord& record) const; ///< a run held here that it is a copy of
    std::optional<lab::RunId> aboutOf(const Page& page, std::optional<lab::RunId> About::*which) const;
    std::vector<const Held*> byAge() const;

    std::map<lab::RunId, Held> runs;
    std::map<Page, About> pages;
    uint64_t nextAge = 0;
    lab::RunId nextTaken = lab::RunId{1} << 62; ///< ids of runs that no engine of ours made; its own count from 1
};

} // namespace warplight::app
