// SPDX-License-Identifier: GPL-3.0-or-later
// How many words a state of a size remembers, rule by rule.
#include "core/lab/headline.h"
#include "core/labs/linear/linear_pages.h"
#include "core/labs/linear/memory_story.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <fmt/format.h>
#include <map>
#include <memory>
#include <numeric>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace warplight::labs::linear {
namespace {

using namespace lab;

constexpr const char* softmaxId = "softmax";

/// What softmax attention reads of a story: all keys and values are kept, and the sharpness is a setting.
std::vector<double> readBySoftmax(const MemoryStory& story, int64_t until, std::span<const double> query,
                                  double sharpness) {
    std::vector<double> weights, sum(static_cast<size_t>(story.valueDim));
    double total = 0;
    for (int64_t t = 0; t < until; ++t) {
        const auto& token = story.tokens[static_cast<size_t>(t)];
        if (token.asks)
            continue;
        const std::span<const double> key = story.key(token), value = story.value(token);
        const double weight = std::exp(sharpness * std::inner_product(key.begin(), key.end(), query.begin(), 0.0));
        total += weight;
        for (size_t c = 0; c < sum.size(); ++c)
            sum[c] += weight * value[c];
    }
    for (double& x : sum)
        x /= total;
    return sum;
}

struct Share {
    double mean = 0, low = 0, high = 0; ///< of the stories
};

class Recall : public Experiment {
  public:
    Description describe() const override {
        Description d;
        d.id = "linear.recall";
        d.lab = "Linear attention";
        d.title = "Recall";
        d.sentence = "How many of the words that were written are read again, by the size of the state.";
        d.question = "How large must a state be to remember that many words, and which rule needs least?";
        d.about =
            "Stories of words with a value each; some are written again with another value. Then every word is asked "
            "for once, and counts as right if what is read lies nearest to the value that was written last. Keys and "
            "values are directions by chance. A state of d × d has d² numbers; softmax attention keeps all words and "
            "is drawn beside it.";
        d.devices = {"cpu"};
        d.colours = ruleColours();
        d.colours[softmaxId] = 7;
        auto rules = ruleOptions();
        rules.push_back({softmaxId, "Softmax attention", "All keys and values are kept."});
        d.parameters = {
            Parameter::choices("rules", "Rules", {"add", "retention", "gla", "delta", "gated-delta", softmaxId}, rules,
                               "Which are compared."),
            Parameter::choice("featureMap", "Feature map", "identity", stepwiseMapOptions(), "φ, of keys and queries."),
            Parameter::sweep("sizes", "State sizes", {4, 8, 16, 32, 64, 128}, 2, 256,
                             "Features of keys and values, d."),
            Parameter::integer("words", "Words", 32, 1, 1024, "Different keys of a story."),
            Parameter::integer("rewritten", "Written again", 16, 0, 1024, "Of them, with another value."),
            Parameter::sweep("wordCounts", "Words, where they are the axis", {4, 8, 16, 32, 64, 128}, 1, 1024,
                             "Of the second picture, a half of them written again."),
            Parameter::integer("stateSize", "State size there", 32, 2, 256, "Of the second picture."),
            Parameter::real("decay", "Decay", 0.98, 0, 1, "γ of retention and gated delta; the least α of GLA."),
            Parameter::real("beta", "β", 1, 0, 2, "How much of what is off a write corrects."),
            Parameter::integer("values", "Different values", 16, 2, 1024, "One of so many is right."),
            Parameter::integer("stories", "Stories", 16, 1, 256, "A point is the mean of."),
            Parameter::integer("seed", "Seed", 42, 0, 1e15, "Of keys, values and their order.")};
        return d;
    }

    double estimatedSeconds(const Settings& s) const override {
        double work = 0;
        const auto add = [&](int64_t d, int64_t words) {
            const auto size = static_cast<double>(d);
            work += size * size * 4 * static_cast<double>(words);
        };
        for (const int64_t d : s.sweep("sizes"))
            add(d, s.integer("words") + s.integer("rewritten"));
        for (const int64_t words : s.sweep("wordCounts"))
            add(s.integer("stateSize"), words + words / 2);
        return 0.02 + work * static_cast<double>(s.integer("stories")) *
                          static_cast<double>(s.choices("rules").size()) * 1.5e-9;
    }

    MemoryNeed neededMemory(const Settings&, const std::string&) const override {
        return {int64_t{64} << 20, 0, "", ""};
    }

    void run(const Settings& settings, Run& run) override {
        putFigure(
            run, "size", "Right answers against the size of the state",
            fmt::format("{} words, {} of them written again", settings.integer("words"), settings.integer("rewritten")),
            {"features of the state, d", "", Scale::Log2, {}, {}, {}, false}, Figure::Place::Main);
        putFigure(run, "words", "Right answers against the words",
                  fmt::format("a state of {0} × {0}, a half of them written again", settings.integer("stateSize")),
                  {"words", "", Scale::Log2, {}, {}, {}, false}, Figure::Place::Main);
        std::map<std::string, double> needed; ///< the smallest state of a rule that reads nine of ten
        double done = 0;
        const auto point = [&](const char* figure, const std::string& id, const std::string& title, int64_t x,
                               const Share& y) {
            Curve c;
            c.id = id;
            c.label = title;
            c.colourKey = id;
            c.provenance = Provenance::Counted;
            c.x = {static_cast<double>(x)};
            c.y = {100 * y.mean};
            c.low = {100 * y.low};
            c.high = {100 * y.high};
            run.appendPoint(figure, c);
        };
        const auto& chosen = settings.choices("rules");
        const double all = static_cast<double>(settings.sweep("sizes").size() + settings.sweep("wordCounts").size());
        for (const int64_t d : sorted(settings.sweep("sizes"))) {
            for (const std::string& id : chosen) {
                const Share share =
                    shareRight(run, settings, id, d, settings.integer("words"), settings.integer("rewritten"));
                point("size", id, titleOf(id), d, share);
                if (share.mean >= 0.9)
                    needed.emplace(id, static_cast<double>(d));
            }
            run.progress(++done / all, fmt::format("d = {}", d));
        }
        for (const int64_t words : sorted(settings.sweep("wordCounts"))) {
            for (const std::string& id : chosen)
                point("words", id, titleOf(id), words,
                      shareRight(run, settings, id, settings.integer("stateSize"), words, words / 2));
            run.progress(++done / all, fmt::format("{} words", words));
        }
        for (const std::string& id : chosen)
            if (id != softmaxId)
                headline(run, id, needed);
    }

  private:
    static std::vector<int64_t> sorted(std::vector<int64_t> x) {
        std::sort(x.begin(), x.end());
        return x;
    }
    static std::string titleOf(const std::string& id) {
        if (id == softmaxId)
            return "Softmax attention";
        const auto rules = cpu::linearRules();
        return std::string(
            std::find_if(rules.begin(), rules.end(), [&](const auto& r) { return r.name == id; })->title);
    }

    static void putFigure(Run& run, const char* id, const char* title, std::string subtitle, Axis x,
                          Figure::Place place) {
        Series s;
        s.x = std::move(x);
        s.y = {"right answers", "%", Scale::Linear, 0.0, 100.0, {}, false};
        s.dispersion = "the stories' 10th to 90th percentile";
        run.put({id, title, std::move(subtitle),
                 "Of all words, each asked once after the story: the share whose nearest value is the last that was "
                 "written. "
                 "**Counted** in double precision.",
                 place, std::move(s)});
    }

    static Share shareRight(Run& run, const Settings& s, const std::string& id, int64_t d, int64_t words,
                            int64_t rewritten) {
        std::vector<double> shares;
        for (int64_t i = 0; i < s.integer("stories"); ++i) {
            run.checkCancelled();
            StoryKind kind;
            kind.words = words;
            kind.rewritten = rewritten;
            kind.questions = 0;
            kind.values = s.integer("values");
            const MemoryStory story = makeStory(kind, d, d, static_cast<uint64_t>(s.integer("seed") + i));
            shares.push_back(id == softmaxId ? bySoftmax(story, words) : byState(run, s, story, id, words));
        }
        std::sort(shares.begin(), shares.end());
        const auto at = [&](double share) {
            return shares[static_cast<size_t>(std::lround(share * static_cast<double>(shares.size() - 1)))];
        };
        return {std::accumulate(shares.begin(), shares.end(), 0.0) / static_cast<double>(shares.size()), at(0.1),
                at(0.9)};
    }

    template <class Read>
    static double share(const MemoryStory& story, int64_t words, const Read& read) {
        double right = 0;
        const auto end = static_cast<int64_t>(story.tokens.size());
        for (int64_t word = 0; word < words; ++word) {
            const auto& last = story.tokens[static_cast<size_t>(story.written(word, end))];
            right += story.nearest(read(story.key(last))) == last.value ? 1 : 0;
        }
        return right / static_cast<double>(words);
    }

    static double bySoftmax(const MemoryStory& story, int64_t words) {
        // Sharp enough that a key outweighs all others that overlap with it by less than a half.
        const double sharpness = 4 * std::log(static_cast<double>(story.tokens.size() + 1));
        return share(story, words, [&](std::span<const double> query) {
            return readBySoftmax(story, static_cast<int64_t>(story.tokens.size()), query, sharpness);
        });
    }

    static double byState(Run& run, const Settings& s, const MemoryStory& story, const std::string& id, int64_t words) {
        const cpu::LinearShape shape =
            shapeOfState(story, cpu::linearRuleByName(id), cpu::featureMapByName(s.text("featureMap")), false);
        cpu::LinearState state(shape);
        for (const auto& token : story.tokens) {
            tell(state, shape, story, token, {s.real("decay"), s.real("beta")});
            run.checkCancelled();
        }
        return share(story, words, [&](std::span<const double> query) { return state.read(query); });
    }

    static void headline(Run& run, const std::string& id, const std::map<std::string, double>& needed) {
        const auto found = needed.find(id);
        const bool known = found != needed.end();
        const std::string title = titleOf(id);
        const std::string caption = known ? fmt::format("features until {} reads nine of ten words", title)
                                          : fmt::format("no size of these lets {} read nine of ten words", title);
        putHeadline(run, "needed." + id, known ? std::optional(found->second) : std::nullopt, "", "{:.0f}", caption,
                    Provenance::Counted);
    }
};

} // namespace

std::unique_ptr<Experiment> makeRecall() { return std::make_unique<Recall>(); }

} // namespace warplight::labs::linear
