// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/app/random_use/hostile_texts.h"

#include <array>

namespace warplight::app {
namespace {

constexpr std::array ordinary{"1",
                              "2",
                              "8",
                              "16",
                              "17",
                              "33",
                              "64",
                              "96",
                              "100",
                              "128",
                              "0.5",
                              "1e-3",
                              "2..8",
                              "4,8,16",
                              "16..64*2",
                              "64,128",
                              "vgpu",
                              "cpu",
                              "1 KiB",
                              "4K",
                              "true",
                              "ring",
                              "tree",
                              "flash",
                              "f16",
                              "bf16",
                              "-1",
                              "0",
                              "3.14159",
                              "attention",
                              "tiles",
                              "files/gqa.npz",
                              "files/f4.npy",
                              "kineto.json"};

constexpr std::array numbers{"-0",
                             "-9223372036854775808",
                             "9223372036854775807",
                             "9223372036854775808",
                             "18446744073709551616",
                             "2147483648",
                             "1e308",
                             "1e309",
                             "-1e309",
                             "1e-400",
                             "nan",
                             "NaN",
                             "inf",
                             "-Infinity",
                             "0x10",
                             "0x1p-1074",
                             "1,5",
                             "1.5.5",
                             "1_000",
                             "1e",
                             "+",
                             "--1",
                             "1..",
                             "..8",
                             "8..1",
                             "1..1000000000000",
                             "1..8*0",
                             "1..8*-2",
                             "2..8*1",
                             "1..9+0",
                             "1,,2",
                             ",",
                             "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31,32",
                             "\xd9\xa1\xd9\xa2\xd9\xa3", // Arabic-Indic digits
                             "\xef\xbc\x91\xef\xbc\x92", // fullwidth digits
                             "\xc2\xbd",                 // one half
                             "1\xc2\xa0"
                             "024"}; // a no-break space

constexpr std::array paths{"/dev/zero",
                           "/dev/null",
                           "/dev/urandom",
                           "/dev/full",
                           "/dev/stdin",
                           "/dev/zero:q",
                           "/proc/self/mem",
                           "/proc/self/maps",
                           "/proc/kmsg",
                           "/",
                           ".",
                           "..",
                           "~",
                           "../../../../../../etc/passwd",
                           "files",
                           "files/fifo.npy",
                           "files/zero.npy",
                           "files/loop.npy",
                           "files/empty.warplight",
                           "files/garbage.npz",
                           "files/gqa.npz:q",
                           "files/gqa.npz:nothing",
                           "files/gqa.npz:",
                           ":",
                           "::::",
                           "file:///dev/zero",
                           "http://localhost:1/x.npy",
                           "\\\\server\\share\\x.npy",
                           "C:\\CON",
                           "a/b/c/d/e/f/g"};

constexpr std::array languages{"'; DROP TABLE runs; --",
                               "\"; rm -rf \"$HOME\" #",
                               "$(touch gotcha)",
                               "`touch gotcha`",
                               "| cat",
                               "&& true",
                               "-rf",
                               "--help",
                               "--save=x",
                               "%s%s%s%s%n",
                               "%1 %2 %99 %L1",
                               "{} {0} {:>99999999} {",
                               "${HOME} $1 %PATH%",
                               "<b>bold</b><script>alert(1)</script>",
                               "<img src=\"file:///dev/zero\">",
                               "<table><tr><td rowspan=999999 colspan=999999>",
                               "</style></svg><!-- ]]>",
                               "&amp;&lt;&#0;&#x110000;",
                               "[link](file:///etc/passwd) **bold** `code`",
                               "![x](file:///dev/zero)",
                               "# heading\n- list\n```\ncode",
                               "{\"type\": \"quit\"}",
                               "{\"a\": [[[[[[[[[[",
                               "=cmd|' /C calc'!A0",
                               "extern \"C\" __global__ void k(float* x) { x[threadIdx.x] = 1; }",
                               "extern \"C\" __global__ void k() { while (true) {} }",
                               "#include \"/dev/zero\"",
                               "#error no",
                               ".version 7.0\n.target sm_80\n.address_size 64\n.visible .entry k() { ret; }",
                               ".version 7.0\n.target sm_80\n.address_size 64\n.visible .entry k() { $a: bra $a; }",
                               "x=1;y=2",
                               "seqLen=99999999",
                               "a&b",
                               "&&&&",
                               "tab\there",
                               "line\nline\r\nline"};

constexpr std::array scripts{
    "\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d \xd7\xa2\xd7\x95\xd7\x9c\xd7\x9d",        // Hebrew
    "\xd9\x85\xd8\xb1\xd8\xad\xd8\xa8\xd8\xa7 123",                             // Arabic and digits
    "\xe2\x80\xaegnp.exe\xe2\x80\xac",                                          // right-to-left override
    "\xe2\x80\xab\xe2\x80\xab\xe2\x80\xab",                                     // embeddings without end
    "\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x91\xa7", // a joined emoji
    "\xf0\x9f\x87\xa9\xf0\x9f\x87\xaa\xf0\x9f\x87\xaf\xf0\x9f\x87\xb5",         // flags
    "e\xcc\x81\xcc\x81\xcc\x81\xcc\x81\xcc\x81\xcc\x81",                        // heaps of accents
    "\xe6\xbc\xa2\xe5\xad\x97 \xed\x95\x9c\xea\xb5\xad\xec\x96\xb4",            // Han, Hangul
    "\xc4\xb0i\xc4\xb1I \xc3\x9f \xef\xac\x83",                                 // hard to turn into capitals
    "\xe2\x80\x8b\xe2\x80\x8b\xef\xbb\xbf",                                     // nothing that is seen
    "\xe2\x80\xa8line\xe2\x80\xa9paragraph",                                    // other ends of lines
    "\xf0\x9d\x9f\x99\xf0\x9d\x9f\x9a",                                         // mathematical digits
    "\xe0\xb8\x81\xe0\xb9\x87\xe0\xb9\x87\xe0\xb9\x87\xe0\xb9\x87"};            // Thai marks

/// Any 16-bit units but 0, so also halves of pairs and what is no character at all.
QString binary(Dice& dice) {
    QString text;
    for (int i = dice.between(1, 200); i > 0; --i)
        text.append(QChar(static_cast<char16_t>(dice.chance(0.5) ? dice.between(1, 0xff) : dice.between(1, 0xffff))));
    return text;
}

QString veryLong(Dice& dice) {
    constexpr std::array pieces{"9",        "a",     "1,",     "/", "<b>", "\xf0\x9f\x98\x80",
                                "\xd7\xa9", "word ", "line\n", "(", "{"};
    constexpr std::array lengths{300, 5'000, 70'000, 200'000};
    return QString::fromUtf8(dice.of(pieces)).repeated(dice.of(lengths));
}

} // namespace

QString hostileText(Dice& dice) {
    enum { Ordinary, Number, Path, Language, Script, Binary, Long, Empty };
    constexpr std::array<double, 8> weights{50, 16, 10, 10, 6, 4, 2, 2};
    switch (dice.weighted(weights)) {
    case Ordinary:
        return QString::fromUtf8(dice.of(ordinary));
    case Number:
        return QString::fromUtf8(dice.of(numbers));
    case Path:
        return QString::fromUtf8(dice.of(paths));
    case Language:
        return QString::fromUtf8(dice.of(languages));
    case Script:
        return QString::fromUtf8(dice.of(scripts));
    case Binary:
        return binary(dice);
    case Long:
        return veryLong(dice);
    default:
        return {};
    }
}

} // namespace warplight::app
