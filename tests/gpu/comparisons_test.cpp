// SPDX-License-Identifier: GPL-3.0-or-later
// Comparisons of 16-bit numbers and their pairs, and what else gives a predicate: all 65,536 numbers of each format,
// against the definition in real numbers.
#include "each_target.h"
#include "ptx_builder.h"

#include "gpu/error.h"

#include <QTest>
#include <cstdint>
#include <initializer_list>
#include <iterator>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <bit>
#include <cmath>
#include <functional>
#include <random>

using namespace warplight;
using namespace warplight::test;

namespace {

constexpr size_t allHalves = 65536;

/// The number that 16 bits mean, by their fields.
double f16(uint16_t h) {
    const int exponent = h >> 10 & 31, fraction = h & 0x3ff, sign = h & 0x8000 ? -1 : 1;
    if (exponent == 31)
        return fraction ? NAN : sign * INFINITY;
    return sign * (exponent ? std::ldexp(1024 + fraction, exponent - 25) : std::ldexp(fraction, -24));
}
double f16Flushed(uint16_t h) { return (h & 0x7c00) == 0 ? 0.0 : f16(h); }
double bf16(uint16_t h) {
    const int exponent = h >> 7 & 255, fraction = h & 0x7f, sign = h & 0x8000 ? -1 : 1;
    if (exponent == 255)
        return fraction ? NAN : sign * INFINITY;
    return sign * (exponent ? std::ldexp(128 + fraction, exponent - 134) : std::ldexp(fraction, -133));
}

struct Relation {
    const char* name;
    bool (*ofNumbers)(double, double);
    bool ofNans;
};
const Relation relations[] = {
    {"eq", [](double a, double b) { return a == b; }, false}, {"ne", [](double a, double b) { return a != b; }, false},
    {"lt", [](double a, double b) { return a < b; }, false},  {"le", [](double a, double b) { return a <= b; }, false},
    {"gt", [](double a, double b) { return a > b; }, false},  {"ge", [](double a, double b) { return a >= b; }, false},
    {"equ", [](double a, double b) { return a == b; }, true}, {"neu", [](double a, double b) { return a != b; }, true},
    {"ltu", [](double a, double b) { return a < b; }, true},  {"leu", [](double a, double b) { return a <= b; }, true},
    {"gtu", [](double a, double b) { return a > b; }, true},  {"geu", [](double a, double b) { return a >= b; }, true},
    {"num", [](double, double) { return true; }, false},      {"nan", [](double, double) { return false; }, true}};
constexpr size_t relationCount = std::size(relations);

bool holds(const Relation& r, double a, double b) {
    return std::isnan(a) || std::isnan(b) ? r.ofNans : r.ofNumbers(a, b);
}

struct Format {
    const char* name; ///< "f16", with ".ftz" before it in an instruction if it flushes
    const char* ftz;
    double (*value)(uint16_t);
    uint16_t one;
};
const Format formats[] = {{"f16", "", f16, 0x3c00}, {"f16", ".ftz", f16Flushed, 0x3c00}, {"bf16", "", bf16, 0x3f80}};

/// Partners of all numbers: equal ones, negated ones, neighbours, corners and others.
uint16_t partner(uint16_t x, unsigned round, std::mt19937& random) {
    static const uint16_t corners[] = {0,      0x8000, 1,      0x8001, 0x03ff, 0x0400, 0x007f, 0x0080, 0x3c00, 0x3f80,
                                       0x7bff, 0x7c00, 0xfc00, 0x7c01, 0x7f80, 0xff80, 0x7f81, 0x7fff, 0xffff, 0x7f7f};
    switch (round) {
    case 0:
        return x;
    case 1:
        return x ^ 0x8000;
    case 2:
        return static_cast<uint16_t>(x + 1);
    case 3:
        return static_cast<uint16_t>(random());
    default:
        return corners[random() % std::size(corners)];
    }
}

} // namespace

class ComparisonsTest : public QObject {
    Q_OBJECT
    std::unique_ptr<gpu::Device> device = vgpu::makeVirtualDevice();

    /// Runs `body` for pairs of all numbers (in %a and %b; %c is random) and hands each result to `check`.
    void pairs(const std::string& body,
               const std::function<uint32_t(uint16_t aLow, uint16_t aHigh, uint16_t bLow, uint16_t bHigh, uint32_t c)>&
                   expected,
               std::initializer_list<unsigned> rounds = {0, 4}) {
        std::mt19937 random(3);
        const OneInstruction kernel{"b32", "b32", "b32", "b32", body};
        for (const unsigned round : rounds) {
            std::vector<uint32_t> a, b, c;
            for (size_t i = 0; i < allHalves; ++i) {
                const auto low = static_cast<uint16_t>(i), high = static_cast<uint16_t>(i * 40503 + 7); // all as well
                a.push_back(low | static_cast<uint32_t>(high) << 16);
                b.push_back(partner(low, round, random) | static_cast<uint32_t>(partner(high, (round + 2) % 5, random))
                                                              << 16);
                c.push_back(static_cast<uint32_t>(random()));
            }
            const auto d = kernel.run<uint32_t>(*device, a, b, c);
            for (size_t i = 0; i < allHalves; ++i) {
                const uint32_t want = expected(static_cast<uint16_t>(a[i]), static_cast<uint16_t>(a[i] >> 16),
                                               static_cast<uint16_t>(b[i]), static_cast<uint16_t>(b[i] >> 16), c[i]);
                if (d[i] != want)
                    QFAIL(qPrintable(QString("%1: a %2 b %3 gives %4, expected %5")
                                         .arg(body.c_str())
                                         .arg(a[i], 0, 16)
                                         .arg(b[i], 0, 16)
                                         .arg(d[i], 0, 16)
                                         .arg(want, 0, 16)));
            }
        }
    }

    template <class Expected>
    void words(const std::string& body, Expected expected) {
        std::mt19937 random(5);
        std::vector<uint32_t> a, b, c;
        for (size_t i = 0; i < 200; ++i)
            for (auto* x : {&a, &b, &c})
                x->push_back(random() % 3 == 0 ? 0 : random() % 3 == 0 ? ~0u : static_cast<uint32_t>(random()));
        const auto d = OneInstruction{"b32", "b32", "b32", "b32", body}.run<uint32_t>(*device, a, b, c);
        for (size_t i = 0; i < a.size(); ++i) {
            const auto want = static_cast<uint32_t>(expected(a[i], b[i], c[i]));
            QVERIFY2(d[i] == want, qPrintable(QString("%1: a %2 b %3 c %4 gives %5, expected %6")
                                                  .arg(body.c_str())
                                                  .arg(a[i], 0, 16)
                                                  .arg(b[i], 0, 16)
                                                  .arg(c[i], 0, 16)
                                                  .arg(d[i], 0, 16)
                                                  .arg(want, 0, 16)));
        }
    }

    void refused(const std::string& body, const char* why) {
        const std::string ptx = OneInstruction{"b32", "b32", "b32", "b32", body}.ptx();
        try {
            device->load(ptx, "test.ptx")->kernel("k");
            QFAIL(body.c_str());
        } catch (const InputError& error) {
            QVERIFY2(QString(error.what()).contains(why), error.what());
        }
    }

  private slots:
    void initTestCase_data() { test::addTargets(test::Load::Heavy); }
    void init() { test::useTargetOfRow(); }
    void cleanupTestCase() { vgpu::useTarget(""); }

    void everyRelationOfPairsOfAllNumbers() {
        for (const Format& f : formats) {
            std::string body = "mov.b32 %d, 0;\n";
            for (size_t i = 0; i < relationCount; ++i)
                body += std::string("setp.") + relations[i].name + f.ftz + "." + f.name +
                        "x2 %p|%q, %a, %b;\n@%p or.b32 " + "%d, %d, " + std::to_string(1 << i) +
                        ";\n@%q or.b32 %d, %d, " + std::to_string(1 << (i + relationCount)) + ";\n";
            pairs(body,
                  [&](auto aLow, auto aHigh, auto bLow, auto bHigh, auto) {
                      uint32_t bits = 0;
                      for (size_t i = 0; i < relationCount; ++i)
                          bits |= static_cast<uint32_t>(holds(relations[i], f.value(aLow), f.value(bLow))) << i |
                                  static_cast<uint32_t>(holds(relations[i], f.value(aHigh), f.value(bHigh)))
                                      << (i + relationCount);
                      return bits;
                  },
                  {0, 1, 2, 3, 4});
        }
    }

    void everyRelationOfOneNumber() {
        for (const Format& f : formats) {
            std::string body = ".reg .b16 %h, %l;\nmov.b32 {%h, _}, %a;\nmov.b32 {%l, _}, %b;\nmov.b32 %d, 0;\n";
            for (size_t i = 0; i < relationCount; ++i)
                body += std::string("setp.") + relations[i].name + f.ftz + "." + f.name + " %p, %h, %l;\n@%p or.b32 " +
                        "%d, %d, " + std::to_string(1 << i) + ";\n";
            pairs(body,
                  [&](auto aLow, auto, auto bLow, auto, auto) {
                      uint32_t bits = 0;
                      for (size_t i = 0; i < relationCount; ++i)
                          bits |= static_cast<uint32_t>(holds(relations[i], f.value(aLow), f.value(bLow))) << i;
                      return bits;
                  },
                  {0, 1, 2, 3, 4});
        }
    }

    void pairsAreCombinedWithAPredicate() {
        const Relation& lt = relations[2];
        for (const auto& [combine, of] :
             {std::pair<const char*, bool (*)(bool, bool)>{"and", [](bool x, bool c) { return x && c; }},
              {"or", [](bool x, bool c) { return x || c; }},
              {"xor", [](bool x, bool c) { return x != c; }}}) {
            const auto f = of;
            const std::string head = "setp.gt.s32 %r, %c, 0;\n", one =
                                                                     "selp.b32 %x, 1, 0, %p;\nselp.b32 %y, 2, 0, %q;\n"
                                                                     "or.b32 %d, %x, %y;";
            pairs(".reg .pred %r;\n" + head + "setp.lt." + combine + ".f16x2 %p|%q, %a, %b, %r;\n" + one,
                  [&](auto aLow, auto aHigh, auto bLow, auto bHigh, auto c) {
                      const bool with = static_cast<int32_t>(c) > 0;
                      return static_cast<uint32_t>(f(holds(lt, f16(aLow), f16(bLow)), with)) +
                             2 * static_cast<uint32_t>(f(holds(lt, f16(aHigh), f16(bHigh)), with));
                  });
        }
        pairs("setp.lt.bf16x2 _|%q, %a, %b;\nselp.b32 %d, 1, 0, %q;",
              [&](auto, auto aHigh, auto, auto bHigh, auto) { return holds(lt, bf16(aHigh), bf16(bHigh)); });
        pairs("setp.lt.bf16x2 %p, %a, %b;\nselp.b32 %d, 1, 0, %p;",
              [&](auto aLow, auto, auto bLow, auto, auto) { return holds(lt, bf16(aLow), bf16(bLow)); });
    }

    void setWritesOnesOrAllBitsOfEachHalf() {
        const Relation &geu = relations[11], &eq = relations[0];
        for (const Format& f : formats) {
            const std::string pair = std::string(f.name) + "x2";
            const auto both = [&](const Relation& r, uint32_t truth) {
                return [&f, &r, truth](auto aLow, auto aHigh, auto bLow, auto bHigh, auto) {
                    return (holds(r, f.value(aLow), f.value(bLow)) ? truth : 0) |
                           (holds(r, f.value(aHigh), f.value(bHigh)) ? truth << 16 : 0);
                };
            };
            pairs("set.geu" + std::string(f.ftz) + "." + pair + "." + pair + " %d, %a, %b;", both(geu, f.one));
            pairs("set.eq" + std::string(f.ftz) + ".u32." + pair + " %d, %a, %b;", both(eq, 0xffff));
            pairs("set.geu" + std::string(f.ftz) + ".s32." + pair + " %d, %a, %b;", both(geu, 0xffff));
            pairs("setp.gt.s32 %p, %c, 0;\nset.eq.xor" + std::string(f.ftz) + ".u32." + pair + " %d, %a, %b, !%p;",
                  [&](auto aLow, auto aHigh, auto bLow, auto bHigh, auto c) {
                      const bool with = static_cast<int32_t>(c) <= 0;
                      return (holds(eq, f.value(aLow), f.value(bLow)) != with ? 0xffffu : 0u) |
                             (holds(eq, f.value(aHigh), f.value(bHigh)) != with ? 0xffff0000u : 0u);
                  });
        }
    }

    void setOfOneNumberHasTheWidthOfItsType() {
        const Relation& le = relations[3];
        const auto one = [&](const char* type, uint32_t truth, double (*value)(uint16_t), const char* format) {
            const bool narrow = std::string(type).ends_with("16");
            pairs(".reg .b16 %h, %l, %m;\nmov.b32 {%h, _}, %a;\nmov.b32 {%l, _}, %b;\nset.le." + std::string(type) +
                      "." + format + (narrow ? " %m, %h, %l;\ncvt.u32.u16 %d, %m;" : " %d, %h, %l;"),
                  [&](auto aLow, auto, auto bLow, auto, auto) {
                      return holds(le, value(aLow), value(bLow)) ? truth : 0u;
                  });
        };
        one("f16", 0x3c00, f16, "f16");
        one("u16", 0xffff, f16, "f16");
        one("s16", 0xffff, f16, "f16");
        one("u32", 0xffffffff, f16, "f16");
        one("bf16", 0x3f80, bf16, "bf16");
        one("s32", 0xffffffff, bf16, "bf16");
        const auto s = [](uint32_t x) { return static_cast<int32_t>(x); };
        words("set.lt.f32.s32 %d, %a, %b;", [&](auto a, auto b, auto) { return s(a) < s(b) ? 0x3f800000u : 0; });
        words(".reg .b16 %h;\nset.lt.f16.s32 %h, %a, %b;\ncvt.u32.u16 %d, %h;",
              [&](auto a, auto b, auto) { return s(a) < s(b) ? 0x3c00u : 0; });
        words(".reg .b16 %h;\nset.hi.bf16.u32 %h, %a, %b;\ncvt.u32.u16 %d, %h;",
              [](auto a, auto b, auto) { return a > b ? 0x3f80u : 0; });
    }

    void logicOfThreeTellsWhetherAnythingIsLeft() {
        for (uint32_t table = 0; table < 256; ++table) {
            const auto of = [table](uint32_t a, uint32_t b, uint32_t c) {
                uint32_t d = 0;
                for (int i = 0; i < 32; ++i)
                    d |= (table >> ((a >> i & 1) * 4 + (b >> i & 1) * 2 + (c >> i & 1)) & 1) << i;
                return d;
            };
            const std::string operands = ", %a, %b, %c, " + std::to_string(table);
            words("setp.gt.s32 %q, %a, %b;\nlop3.or.b32 %d|%p" + operands + ", %q;\n@%p add.u32 %d, %d, 77;",
                  [&](auto a, auto b, auto c) {
                      const uint32_t d = of(a, b, c);
                      return d + (d != 0 || static_cast<int32_t>(a) > static_cast<int32_t>(b) ? 77 : 0);
                  });
            words("setp.gt.s32 %q, %a, %b;\nlop3.and.b32 _|%p" + operands + ", !%q;\nselp.b32 %d, 1, 0, %p;",
                  [&](auto a, auto b, auto c) {
                      return of(a, b, c) != 0 && static_cast<int32_t>(a) <= static_cast<int32_t>(b);
                  });
        }
        words("lop3.b32 %d, %a, %b, %c, 0x1a;", [](auto a, auto b, auto c) { return ((a & b) | c) ^ a; });
    }

    void predicatesAreWrittenAfterAllAreKnown() {
        const auto s = [](uint32_t x) { return static_cast<int32_t>(x); };
        // The result takes the place of what it is combined with.
        words("setp.gt.s32 %p, %c, 0;\nsetp.lt.and.s32 %p|%q, %a, %b, %p;\nselp.b32 %x, 1, 0, %p;\nselp.b32 %y, 2, 0, "
              "%q;\nor.b32 %d, %x, %y;",
              [&](auto a, auto b, auto c) {
                  const bool lt = s(a)<s(b), with = s(c)> 0;
                  return (lt && with) + 2 * (!lt && with);
              });
        // … or of the instruction's own guard.
        for (const char* results : {"%p|%q", "%q|%p"})
            words("setp.gt.s32 %p, %c, 0;\nsetp.ne.s32 %q, %c, %c;\n@%p setp.lt.s32 " + std::string(results) +
                      ", %a, %b;\nselp.b32 %x, 1, 0, %p;\nselp.b32 %y, 2, 0, %q;\nor.b32 %d, %x, %y;",
                  [&](auto a, auto b, auto c) {
                      if (s(c) <= 0)
                          return 0;
                      const bool lt = s(a) < s(b), p = results[1] == 'p' ? lt : !lt;
                      return p + 2 * !p;
                  });
    }

    void whatHasNoPredicateOutputIsRefused() {
        refused("prmt.b32 %d|%p, %a, %b, %c;", "it has no predicate output");
        refused("lop3.xor.b32 %d|%p, %a, %b, %c, 1, %q;", "expected d, or with .and or .or d|p");
        refused("lop3.or.b32 %d, %a, %b, %c, 1, %q;", "expected d, or with .and or .or d|p");
        refused("lop3.or.b32 %d|%p, %a, %b, %c, 1;", "expected .b32 and 6 operands");
        refused("set.lt.f32.f16x2 %d, %a, %b;", "does not know this type of result");
        refused("set.lt.bf16.bf16x2 %d, %a, %b;", "does not know this type of result");
        refused("setp.lt.u16x2 %p|%q, %a, %b;", "does not know");
        refused("setp.lt.ftz.bf16x2 %p|%q, %a, %b;", "does not know");
    }
};

QTEST_GUILESS_MAIN(ComparisonsTest)
#include "comparisons_test.moc"
