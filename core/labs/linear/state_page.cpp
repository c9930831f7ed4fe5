// SPDX-License-Identifier: GPL-3.0-or-later
// The state of linear attention as a picture, while words are told to it.
#include "core/lab/headline.h"
#include "core/lab/number_text.h"
#include "core/labs/linear/linear_pages.h"
#include "core/labs/linear/spectrum.h"
#include "core/labs/linear/state_scene.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <fmt/format.h>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace warplight::labs::linear {
namespace {

using namespace lab;

constexpr int64_t averagedStories = 24; ///< of the curve over ages
constexpr int64_t mostFeatures = 2200;  ///< taylor2 of 46 features; a picture has no room for more

class State : public Experiment {
  public:
    Description describe() const override {
        Description d;
        d.id = "linear.state";
        d.lab = "Linear attention";
        d.title = "State";
        d.sentence = "What a d × d memory keeps, word by word.";
        d.question =
            "What does a key read that was written long ago, or twice, and what does the rule have to do with it?";
        d.about =
            "The state S [features, values] is all that linear attention remembers. **Add** S += k vᵀ; **retention** "
            "S = γS + k vᵀ; **GLA** S = diag(α)S + k vᵀ; **delta** S −= β k (kᵀS − vᵀ); **gated delta** S = γS first. "
            "A key "
            "reads kᵀS. Keys are directions by chance: as soon as there are more of them than features they overlap, "
            "and "
            "a key reads a part of its neighbours' values. The delta rule takes out what its key reads before it "
            "writes. "
            "GLA's α goes from the decay for the first feature to 1 for the last.";
        d.devices = {"cpu"};
        d.colours = ruleColours();
        const auto slider = [](Parameter p, double step) {
            p.sliderStep = step;
            return p;
        };
        d.parameters = {
            Parameter::choice("rule", "Rule", "gated-delta", ruleOptions(), "How the state takes a key and its value."),
            Parameter::choice("featureMap", "Feature map", "identity", stepwiseMapOptions(), "φ, of keys and queries."),
            slider(Parameter::integer("stateSize", "State size", 16, 2, 64, "Features of a key, and of a value."), 2),
            slider(Parameter::real("decay", "Decay", 0.96, 0, 1, "γ of retention and gated delta; the least α of GLA."),
                   0.01),
            slider(Parameter::real("beta", "β", 0.8, 0, 2, "How much of what is off a write corrects."), 0.05),
            Parameter::choice(
                "input", "Story", "recall",
                {{"recall", "Associative recall", "Words, some again with another value, then questions."},
                 {"twice", "A key written twice", "Sum, or last value?"},
                 {"orthogonal", "Orthogonal keys", "As recall, but keys do not overlap as long as there is room."}},
                "What is told to the state."),
            slider(Parameter::integer("words", "Words", 10, 1, 256, "Different keys that are written."), 1),
            slider(Parameter::integer("rewritten", "Written again", 3, 0, 256, "Of them, with another value."), 1),
            Parameter::choices("compared", "Compared", {"add", "retention", "gla", "delta", "gated-delta"},
                               ruleOptions(), "Rules of the curves."),
            Parameter::flag("normalise", "Normalised", false, "Divide what is read by the same for values of 1."),
            Parameter::integer("seed", "Seed", 42, 0, 1e15, "Of keys, values and the order.")};
        d.parameters[3].shownWhen = {when("rule", {"retention", "gla", "gated-delta"}),
                                     when("compared", {"retention", "gla", "gated-delta"})};
        d.parameters[4].shownWhen = {when("rule", {"delta", "gated-delta"}),
                                     when("compared", {"delta", "gated-delta"})};
        d.parameters[6].shownWhen = d.parameters[7].shownWhen = {unless("input", {"twice"})};
        return d;
    }

    double estimatedSeconds(const Settings& s) const override {
        const double d = featuresOf(s), words = static_cast<double>(s.integer("words") + s.integer("rewritten")),
                     size = static_cast<double>(s.integer("stateSize"));
        return 0.02 + (1 + static_cast<double>(s.choices("compared").size())) * words *
                          (static_cast<double>(averagedStories) * d * size * 1.5e-8 + d * size * size * 1e-8);
    }

    MemoryNeed neededMemory(const Settings& s, const std::string& /*device*/) const override {
        const int64_t steps = s.integer("words") + s.integer("rewritten") + 8, features = featuresOf(s);
        return {steps * features * s.integer("stateSize") * 80 + (int64_t{1} << 20), 0,
                fmt::format("The state at {} steps", steps), "words, rewritten or stateSize"};
    }

    void run(const Settings& settings, Run& run) override {
        const cpu::LinearRule rule = cpu::linearRuleByName(settings.text("rule"));
        const StateWalk walk =
            walkThrough(storyOf(settings), rule, mapOf(settings), gatingOf(settings), settings.flag("normalise"));
        putHeadlines(run, settings, walk);
        run.put(
            {"state", "The state, word by word",
             fmt::format("{} numbers, blue below 0, {}", walk.features * walk.story.valueDim,
                         walk.shape.map == cpu::FeatureMap::Identity ? "keys as they are" : "features of keys"),
             "S before a word, what the word writes, and S after it: the real values in double precision. **Counted.** "
             "Below: what the word's key reads then.",
             Figure::Place::Main, stateScene(walk)});
        curves(run, settings);
    }

  private:
    static int64_t featuresOf(const Settings& s) {
        cpu::LinearShape shape;
        shape.headDim = shape.valueDim = s.integer("stateSize");
        shape.map = mapOf(s);
        shape.causal = true;
        return std::min(mostFeatures, cpu::featureCount(shape));
    }
    static cpu::FeatureMap mapOf(const Settings& s) { return cpu::featureMapByName(s.text("featureMap")); }
    static Gating gatingOf(const Settings& s) { return {s.real("decay"), s.real("beta")}; }
    static StoryKind kindOf(const Settings& s) {
        StoryKind kind;
        kind.words = s.integer("words");
        kind.rewritten = s.integer("rewritten");
        kind.orthogonal = s.text("input") == "orthogonal";
        return kind;
    }
    static MemoryStory storyOf(const Settings& s) {
        const int64_t d = s.integer("stateSize");
        const auto seed = static_cast<uint64_t>(s.integer("seed"));
        return s.text("input") == "twice" ? twiceWritten(d, d, seed) : makeStory(kindOf(s), d, d, seed);
    }

    static void putHeadlines(Run& run, const Settings& settings, const StateWalk& walk) {
        const MemoryStory& story = walk.story;
        double asked = 0, right = 0;
        for (size_t t = 0; t < walk.steps.size(); ++t)
            if (story.tokens[t].asks) {
                ++asked;
                right += story.nearest(walk.steps[t].read) == story.tokens[t].value ? 1 : 0;
            }
        putHeadline(run, "right", right, "", "{:.0f}", fmt::format("of {:.0f} questions read the right value", asked));
        putHeadline(run, "lastRank", walk.steps.back().rankAfter, "", "{:.1f}",
                    fmt::format("effective rank of the last state, of {}", std::min(walk.features, story.valueDim)));
        const auto tokens = static_cast<double>(walk.steps.size());
        putHeadline(run, "bytes", 4.0 * static_cast<double>(walk.features * story.valueDim), "B", "",
                    fmt::format("state; keys and values of {:.0f} tokens take {}", tokens,
                                numberText(4 * tokens * static_cast<double>(story.keyDim + story.valueDim), "B")));
        const Twice twice = readTwice(settings);
        putHeadline(
            run, "last", 100 * twice.last, "", "{:.0f} %",
            fmt::format("off the last value of a key written twice; off the sum {:.0f}\u00a0%", 100 * twice.sum));
    }

    struct Twice {
        double last = 0, sum = 0; ///< how far what is read is off them, relative
    };
    static Twice readTwice(const Settings& s) {
        const int64_t d = s.integer("stateSize");
        const StateWalk walk =
            walkThrough(twiceWritten(d, d, static_cast<uint64_t>(s.integer("seed"))),
                        cpu::linearRuleByName(s.text("rule")), mapOf(s), gatingOf(s), s.flag("normalise"));
        const MemoryStory::Token &first = walk.story.tokens.front(), &asks = walk.story.tokens.back();
        const std::span<const double> last = walk.story.value(asks), before = walk.story.value(first);
        std::vector<double> sum(last.begin(), last.end()), off = walk.steps.back().read, offSum = off;
        for (size_t c = 0; c < sum.size(); ++c) {
            sum[c] += before[c];
            off[c] -= last[c];
            offSum[c] -= sum[c];
        }
        return {norm(off) / norm(last), norm(offSum) / norm(sum)};
    }

    static Curve curveOf(const std::string& rule, const std::string& title, std::vector<double> x,
                         std::vector<double> y) {
        Curve c;
        c.id = rule;
        c.label = title;
        c.colourKey = rule;
        c.provenance = Provenance::Counted;
        c.style = Curve::Style::Line;
        c.x = std::move(x);
        c.y = std::move(y);
        return c;
    }

    static Figure seriesFigure(const char* id, const char* title, const char* subtitle, Axis x, Axis y,
                               const char* explain) {
        Series s;
        s.x = std::move(x);
        s.y = std::move(y);
        return {id, title, subtitle, explain, Figure::Place::Support, std::move(s)};
    }

    /// Rule by rule, so that the first curve is there at once.
    static void curves(Run& run, const Settings& settings) {
        const Axis words{"words since it was written", "", Scale::Linear, {}, {}, {}, false},
            tokens{"token", "", Scale::Linear, {}, {}, {}, false};
        run.put(seriesFigure(
            "age", "Error against age", "of what a key reads, relative; many stories", words,
            {"error", "", Scale::Linear, 0.0, {}, {}, false},
            "After all words have been written once: ‖read − value‖ / ‖value‖ of each by its age, the mean "
            "over 24 stories with other keys. **Counted.**"));
        run.put(seriesFigure("rank", "Effective rank", "of the state, over the story", tokens,
                             {"effective rank", "", Scale::Linear, 0.0, {}, {}, false},
                             "e to the entropy of the singular values' shares (Roy and Vetterli 2007). **Counted.**"));
        run.put(seriesFigure("norm", "Norm", "of the state, over the story", tokens,
                             {"norm", "", Scale::Linear, 0.0, {}, {}, false}, "‖S‖, Frobenius. **Counted.**"));
        for (const auto& rule : cpu::linearRules()) {
            const std::string id(rule.name), title(rule.title);
            const auto& chosen = settings.choices("compared");
            if (std::find(chosen.begin(), chosen.end(), id) == chosen.end())
                continue;
            run.appendPoint("age", curveOf(id, title, ages(settings), errorsByAge(run, settings, rule.id)));
            const StateWalk walk = walkThrough(storyOf(settings), rule.id, mapOf(settings), gatingOf(settings),
                                               settings.flag("normalise"));
            std::vector<double> x, ranks, norms;
            for (const StateWalk::Step& step : walk.steps) {
                x.push_back(static_cast<double>(x.size() + 1));
                ranks.push_back(step.rankAfter);
                norms.push_back(step.normAfter);
            }
            run.appendPoint("rank", curveOf(id, title, x, ranks));
            run.appendPoint("norm", curveOf(id, title, x, norms));
        }
    }

    static std::vector<double> ages(const Settings& s) {
        std::vector<double> x;
        for (int64_t age = 0; age < s.integer("words"); ++age)
            x.push_back(static_cast<double>(age));
        return x;
    }

    static std::vector<double> errorsByAge(Run& run, const Settings& s, cpu::LinearRule rule) {
        const int64_t words = s.integer("words"), d = s.integer("stateSize");
        StoryKind kind = kindOf(s);
        kind.rewritten = kind.questions = 0;
        std::vector<double> errors(static_cast<size_t>(words));
        for (int64_t i = 0; i < averagedStories; ++i) {
            run.checkCancelled();
            const MemoryStory story = makeStory(kind, d, d, static_cast<uint64_t>(s.integer("seed") + i));
            const cpu::LinearShape shape = shapeOfState(story, rule, mapOf(s), s.flag("normalise"));
            cpu::LinearState state(shape);
            for (const auto& token : story.tokens)
                tell(state, shape, story, token, gatingOf(s));
            for (int64_t age = 0; age < words; ++age) {
                const auto& token = story.tokens[static_cast<size_t>(words - 1 - age)];
                std::vector<double> off = state.read(story.key(token));
                const std::span<const double> value = story.value(token);
                for (size_t c = 0; c < off.size(); ++c)
                    off[c] -= value[c];
                errors[static_cast<size_t>(age)] += norm(off) / norm(value) / static_cast<double>(averagedStories);
            }
        }
        return errors;
    }
};

} // namespace

std::unique_ptr<Experiment> makeState() { return std::make_unique<State>(); }

} // namespace warplight::labs::linear
