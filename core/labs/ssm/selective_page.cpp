// SPDX-License-Identifier: GPL-3.0-or-later
// What a selective scan selects: on selective copying, on random input or on the user's tensors.
#include "core/error.h"
#include "core/formats/tensor_file.h"
#include "core/lab/headline.h"
#include "core/labs/ssm/selective_figures.h"
#include "core/labs/ssm/ssm_pages.h"
#include "core/tensor/release.h"
#include "gpu/host/memory_budget.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <fmt/format.h>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace warplight::labs::ssm {
namespace {

using namespace lab;

class Selective : public Experiment {
  public:
    Description describe() const override {
        Description d;
        d.id = "ssm.selective";
        d.lab = "State space models";
        d.title = "Selective scan";
        d.sentence =
            "Δ, B and C of each token above the states that they make, what was kept and why, and the attention "
            "matrix that this implies.";
        d.question = "How does a state of constant size decide which tokens to keep?";
        d.about =
            "h_t = exp(Δ_t A) h_{t-1} + Δ_t B_t u_t, y_t = C_t·h_t (Mamba, Gu and Dao 2023). A token with a **small "
            "Δ** "
            "neither writes nor lets anything decay; one with a large Δ does both. Written out, y_i = Σ_j α_ij u_j "
            "with α_ij "
            "= Σ_n C_i[n] exp(A_n Σ_{k=j+1..i} Δ_k) Δ_j B_j[n]: an attention matrix without a softmax, of rank N at "
            "most "
            "below the diagonal.\n\n**Selective copying**: some symbols stand among noise and are asked for at the "
            "end. "
            "Weights are set here, not learned: the k-th symbol writes state k, its question reads it. Let noise have "
            "the Δ of symbols, and there is nothing selective left: all is forgotten alike, as in S4.";
        d.devices = {"cpu"};
        d.colours = selective::colours();
        d.dropFiles = "uFile";
        d.parameters = parameters();
        return d;
    }

    double estimatedSeconds(const Settings& s) const override {
        const auto n = static_cast<double>(s.integer("length"));
        return 0.05 + n * static_cast<double>(s.integer("states")) * 4e-7 +
               n * static_cast<double>(s.integer("channels")) * 5e-8;
    }

    MemoryNeed neededMemory(const Settings& s, const std::string& /*device*/) const override {
        int64_t length = s.integer("length"), channels = s.integer("channels"), states = s.integer("states"), batch = 0,
                groups = 1;
        if (s.text("input") == "files")
            try {
                const auto shapeOf = [&](const char* id) { return formats::tensorEntry(s.text(id)).shape; };
                const auto u = shapeOf("uFile"), a = shapeOf("aFile"), b = shapeOf("bFile");
                batch = u.at(0), channels = u.at(1), length = u.at(2), states = a.at(1);
                groups = b.size() == 4 ? b[1] : 1;
            } catch (const std::exception&) { // run() says what is wrong with the file
                return {};
            }
        const auto floats = [](int64_t a, int64_t b) { return saturatedProduct(4, saturatedProduct(a, b)); };
        const int64_t rows = saturatedProduct(length, channels),
                      mixing = saturatedProduct(length, saturatedProduct(states, groups));
        return {saturatedSum(saturatedSum(floats(rows, 3 + 2 * batch), floats(mixing, 4 + 2 * batch)),
                             saturatedSum(ImpliedMap::heldBytes(length, states), int64_t{16} << 20)),
                0,
                fmt::format("A selective scan of {} tokens and {} channels with {} states", length, channels, states),
                "length, channels or states"};
    }

    void run(const Settings& settings, Run& run) override {
        auto story = std::make_shared<SelectiveStory>(storyOf(settings, run));
        const ReleasesBeside release(story);
        const int64_t channel = settings.integer("channel");
        if (channel >= story->channels)
            throw InputError(fmt::format("channel is {}, expected 0 to {}", channel, story->channels - 1));
        const std::vector<float> y = story->outputs(run.cancelToken()),
                                 states = story->statesOf(channel, run.cancelToken());
        putNumbers(run, *story, channel, y);
        run.put(selective::strips(*story, channel, states, y));
        run.put(selective::raster(*story, states));
        auto map = std::make_shared<ImpliedMap>(story, channel, run.cancelToken());
        const bool logarithmic = settings.text("colour") == "log";
        map->showSizes(logarithmic);
        run.put(selective::mapFigure(run, *map, logarithmic));
        run.serveTiles("map", map);
        if (!story->tokens.empty())
            putRecall(run, *story, *map, y);
        selective::putKept(run, *story, *map, channel, tokenOf(settings, *story));
        run.onSelect("raster", [story, map, channel](Run& again, int64_t, int64_t column) {
            selective::putKept(again, *story, *map, channel, selective::tokenOf(*story, column));
        });
        run.onSelect("map", [story, map, channel](Run& again, int64_t, int64_t column) {
            selective::putKept(again, *story, *map, channel, std::clamp<int64_t>(column, 0, story->length - 1));
        });
    }

  private:
    static std::vector<Parameter> parameters() {
        const std::string tensors = "Tensors (*.npy *.npz *.safetensors)";
        Parameter length = Parameter::integer("length", "Tokens", 128, 2, 1 << 17, "Tokens of the sequence.");
        length.powersOfTwo = true;
        Parameter noise = Parameter::real("noiseStep", "Δ of noise", 0.001, 0, 10,
                                          "How much a token of noise writes and lets decay. 0: it is skipped."),
                  data = Parameter::real("dataStep", "Δ of symbols", 0.5, 0, 10, "The same of a symbol."),
                  rate = Parameter::real("rate", "Rate", 0.1, 0, 10, "A = -rate · (1 … N).");
        noise.sliderStep = data.sliderStep = rate.sliderStep = 0.001;
        std::vector<Parameter> all{
            Parameter::choice("input", "Input", "copy",
                              {{"copy", "Selective copying", "symbols among noise, asked for at the end"},
                               {"random", "Random", "Δ as Mamba begins, A = -1 … -N"},
                               {"files", "Your tensors", "in the shapes of mamba_ssm"}},
                              "What the tokens are."),
            noise,
            data,
            rate,
            length,
            Parameter::integer("channels", "Channels", 16, 1, 128, "Of u and y."),
            Parameter::integer("states", "States", 8, 1, 64, "N of each channel."),
            Parameter::integer("channel", "Channel", 0, 0, 1 << 20, "The one that is shown."),
            Parameter::integer("token", "Token", -1, -1, 1 << 20,
                               "Whose share is shown; -1: the first symbol, or the first token."),
            Parameter::choice("colour", "Colour", "log", {{"log", "Logarithm of |α|", ""}, {"linear", "α", ""}},
                              "Scale of the implied map."),
            Parameter::file("uFile", "u", tensors,
                            "FILE.npy, FILE.npz:key or FILE.safetensors:name, [batch, dim, len]."),
            Parameter::file("deltaFile", "delta", tensors, "As u."),
            Parameter::file("aFile", "A", tensors, "[dim, state]."),
            Parameter::file("bFile", "B", tensors, "[batch, state, len] or [batch, groups, state, len]."),
            Parameter::file("cFile", "C", tensors, "As B."),
            Parameter::file("biasFile", "delta bias", tensors, "[dim]; may be left out."),
            Parameter::flag("softplus", "Softplus", true, "Δ = softplus(delta + bias)."),
            Parameter::integer("sequence", "Sequence", 0, 0, 1 << 20, "Of the batch."),
            Parameter::integer("seed", "Seed", 42, 0, 1e15, "Of the made-up inputs.")};
        for (Parameter& p : all) {
            if (p.id == "noiseStep" || p.id == "dataStep" || p.id == "rate")
                p.shownWhen = {when("input", {"copy"})};
            else if (p.id == "length" || p.id == "channels" || p.id == "states" || p.id == "seed")
                p.shownWhen = {unless("input", {"files"})};
            else if (p.id.ends_with("File") || p.id == "softplus" || p.id == "sequence")
                p.shownWhen = {when("input", {"files"})};
        }
        return all;
    }

    static SelectiveStory storyOf(const Settings& s, const Run& run) {
        const int64_t length = s.integer("length"), channels = s.integer("channels"), states = s.integer("states");
        const auto seed = static_cast<uint64_t>(s.integer("seed"));
        if (s.text("input") == "random")
            return randomStory(length, channels, states, seed, run.cancelToken());
        if (s.text("input") == "copy")
            return copyTask({length, channels, states, s.real("dataStep"), s.real("noiseStep"), s.real("rate"), seed},
                            run.cancelToken());
        return loadedStory({s.text("uFile"), s.text("deltaFile"), s.text("aFile"), s.text("bFile"), s.text("cFile"),
                            s.text("biasFile"), s.flag("softplus"), s.integer("sequence")},
                           run.cancelToken());
    }

    static int64_t tokenOf(const Settings& s, const SelectiveStory& story) {
        if (s.integer("token") >= story.length)
            throw InputError(fmt::format("token is {}, expected -1 to {}", s.integer("token"), story.length - 1));
        if (s.integer("token") >= 0)
            return s.integer("token");
        const auto first = std::find_if(story.tokens.begin(), story.tokens.end(),
                                        [](const auto& t) { return t.kind == SelectiveStory::Token::Kind::Data; });
        return first == story.tokens.end() ? 0 : first - story.tokens.begin();
    }

    static void putNumbers(Run& run, const SelectiveStory& story, int64_t channel, const std::vector<float>& y) {
        if (!story.tokens.empty()) {
            double asked = 0, right = 0;
            for (int64_t t = 0; t < story.length; ++t)
                if (const auto& token = story.tokens[static_cast<size_t>(t)];
                    token.kind == SelectiveStory::Token::Kind::Question) {
                    ++asked;
                    right += story.answer(y, t) == token.symbol ? 1 : 0;
                }
            putHeadline(run, "right", right, "", "{:.0f}", fmt::format("of {:.0f} symbols are copied", asked));
        }
        double sum = 0;
        for (int64_t t = 0; t < story.length; ++t)
            sum += static_cast<double>(story.size[static_cast<size_t>(channel * story.length + t)]);
        putHeadline(run, "steps", sum, "", "{:.3g}",
                    fmt::format("is what Δ of channel {} adds up to over {} tokens", channel, story.length));
        putHeadline(run, "state", 4.0 * static_cast<double>(story.channels * story.states), "B", "",
                    fmt::format("state of {} channels, whatever the length", story.channels));
    }

    static void putRecall(Run& run, const SelectiveStory& story, const ImpliedMap& map, const std::vector<float>& y) {
        Table table;
        table.columns = {{"symbol", "Symbol", "", false, {}, ""},
                         {"written", "Written at", "", true, {}, ""},
                         {"asked", "Asked at", "", true, {}, ""},
                         {"answer", "y is most like", "", false, {}, ""},
                         {"kept", "Kept", "%", true, Provenance::Counted, "{:.3g}"}};
        std::vector<int64_t> written;
        for (int64_t t = 0; t < story.length; ++t)
            if (story.tokens[static_cast<size_t>(t)].kind == SelectiveStory::Token::Kind::Data)
                written.push_back(t);
        const int64_t first = story.length - static_cast<int64_t>(written.size());
        for (size_t k = 0; k < written.size(); ++k) {
            const int64_t asked = first + static_cast<int64_t>(k);
            table.rows.push_back({story.name(written[k]), written[k], asked,
                                  std::string(1, static_cast<char>('a' + story.answer(y, asked))),
                                  100 * map.kept(asked, written[k], static_cast<int64_t>(k))});
        }
        run.put({"recall", "What is copied", "",
                 "Each symbol, and what y is most like where it is asked for; kept: its share in the "
                 "state that it wrote. **Counted.**",
                 Figure::Place::Support, std::move(table)});
    }
};

} // namespace

std::unique_ptr<Experiment> makeSelective() { return std::make_unique<Selective>(); }

} // namespace warplight::labs::ssm
