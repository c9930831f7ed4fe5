// SPDX-License-Identifier: GPL-3.0-or-later
// GPT-2's config.json, as Hugging Face's transformers write it.
#include "core/error.h"
#include "core/model/model_folder.h"
#include "core/text/echo.h"

#include <cstdint>
#include <fmt/format.h>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace warplight::model {
namespace {

using nlohmann::json;

class Reader {
  public:
    Reader(std::string_view text, const std::string& where) : file(where), fields(json::parse(text, nullptr, false)) {
        if (!fields.is_object())
            refuse("is no JSON object", "the config.json of a GPT-2");
    }

    bool has(const char* name) const { return fields.contains(name) && !fields.at(name).is_null(); }

    bool is(const char* name, const char* value) const { return has(name) && fields.at(name) == value; }

    int64_t whole(const char* name) const {
        if (!has(name))
            refuse(fmt::format("{} is missing", name), "a whole number");
        const json& value = fields.at(name);
        if (!value.is_number_integer() || value.get<double>() > 1e15 || value.get<double>() < 0)
            refuse(fmt::format("{} is {}", name, shown(value)), "a whole number of at least 1");
        return value.get<int64_t>();
    }

    double number(const char* name) const {
        if (!fields.at(name).is_number())
            refuse(fmt::format("{} is {}", name, shown(fields.at(name))), "a number");
        return fields.at(name).get<double>();
    }

    /// One of the values for which the network computes what was meant; a missing one has the first.
    void requireOneOf(const char* name, std::initializer_list<json> right) const {
        if (!has(name))
            return;
        std::string expected;
        for (const json& value : right) {
            if (fields.at(name) == value)
                return;
            expected += (expected.empty() ? "" : " or ") + value.dump();
        }
        refuse(fmt::format("{} is {}", name, shown(fields.at(name))), expected);
    }

    [[noreturn]] void refuse(const std::string& what, const std::string& expected) const {
        throw InputError(fmt::format("{}: {}, expected {}", file, what, expected));
    }

  private:
    static std::string shown(const json& value) {
        return echoed(value.dump(-1, ' ', false, json::error_handler_t::replace));
    }

    const std::string& file;
    json fields;
};

constexpr const char* gatedType = "warplight-gau"; ///< model_type of what no other program knows

Config gatedFrom(const Reader& read, const std::string& where) {
    Config c;
    c.architecture = Architecture::Gau;
    c.vocabulary = read.whole("vocab_size");
    c.context = read.whole("n_positions");
    c.features = read.whole("n_embd");
    c.layers = read.whole("n_layer");
    c.hidden = read.whole("n_inner");
    c.shared = read.whole("n_shared");
    c.heads = 1;
    if (read.has("layer_norm_epsilon"))
        c.epsilon = read.number("layer_norm_epsilon");
    check(c, where);
    return c;
}

} // namespace

Config anyConfigFrom(std::string_view text, const std::string& where) {
    const Reader read(text, where);
    return read.is("model_type", gatedType) ? gatedFrom(read, where) : configFrom(text, where);
}

Config configFrom(std::string_view text, const std::string& where) {
    const Reader read(text, where);
    if (!read.has("model_type"))
        read.refuse("model_type is missing", "\"gpt2\"");
    read.requireOneOf("model_type", {"gpt2"});
    read.requireOneOf("activation_function", {"gelu_new", "gelu_pytorch_tanh"});
    read.requireOneOf("tie_word_embeddings", {true});
    read.requireOneOf("scale_attn_weights", {true});
    read.requireOneOf("scale_attn_by_inverse_layer_idx", {false});
    read.requireOneOf("add_cross_attention", {false});
    Config c;
    c.vocabulary = read.whole("vocab_size");
    c.context = read.whole("n_positions");
    c.features = read.whole("n_embd");
    c.layers = read.whole("n_layer");
    c.heads = read.whole("n_head");
    c.hidden = read.has("n_inner") ? read.whole("n_inner") : 4 * c.features;
    if (read.has("layer_norm_epsilon"))
        c.epsilon = read.number("layer_norm_epsilon");
    check(c, where);
    return c;
}

std::string configText(const Config& c) {
    if (c.architecture == Architecture::Gau)
        return json{{"model_type", gatedType},     {"vocab_size", c.vocabulary},
                    {"n_positions", c.context},    {"n_embd", c.features},
                    {"n_layer", c.layers},         {"n_inner", c.hidden},
                    {"n_shared", c.shared},        {"layer_norm_epsilon", c.epsilon},
                    {"tie_word_embeddings", true}, {"torch_dtype", "float32"}}
                   .dump(2) +
               "\n";
    const json j{{"model_type", "gpt2"},
                 {"architectures", {"GPT2LMHeadModel"}},
                 {"activation_function", "gelu_new"},
                 {"vocab_size", c.vocabulary},
                 {"n_positions", c.context},
                 {"n_ctx", c.context},
                 {"n_embd", c.features},
                 {"n_layer", c.layers},
                 {"n_head", c.heads},
                 {"n_inner", c.hidden},
                 {"layer_norm_epsilon", c.epsilon},
                 {"initializer_range", 0.02},
                 {"tie_word_embeddings", true},
                 {"embd_pdrop", 0.0},
                 {"attn_pdrop", 0.0},
                 {"resid_pdrop", 0.0},
                 {"bos_token_id", nullptr},
                 {"eos_token_id", nullptr},
                 {"torch_dtype", "float32"}};
    return j.dump(2) + "\n";
}

} // namespace warplight::model
