// SPDX-License-Identifier: GPL-3.0-or-later
// f16 and bf16 against tables made with PyTorch: every code, and the rounding of chosen f32 numbers.
#include "core/formats/tensor_file.h"
#include "gpu/number/half.h"

#include <QTest>
#include <cmath>
#include <cstdint>
#include <string>
#include <utility>

#include <cstring>

using namespace warplight;

class NumberTest : public QObject {
    Q_OBJECT

    static std::string table(const char* key) { return std::string(WARPLIGHT_TEST_DATA "/oracles/precision/") + key; }

  private slots:
    void everyCodeHasItsValue() {
        const auto f16 = formats::loadTensor(table("code_tables.npz:f16")).values,
                   bf16 = formats::loadTensor(table("code_tables.npz:bf16")).values;
        QCOMPARE(f16.size(), size_t{65536});
        for (uint32_t code = 0; code < 65536; ++code)
            for (const auto& [got, expected] :
                 {std::pair{number::f16ToFloat(static_cast<uint16_t>(code)), f16[code]},
                  std::pair{number::bf16ToFloat(static_cast<uint16_t>(code)), bf16[code]}})
                QVERIFY2(std::isnan(expected) ? std::isnan(got)
                                              : got == expected && std::signbit(got) == std::signbit(expected),
                         qPrintable(QString::number(code, 16)));
    }

    void everyCodeSurvivesTheRoundTrip() {
        for (uint32_t code = 0; code < 65536; ++code) {
            const auto c = static_cast<uint16_t>(code);
            if (!std::isnan(number::f16ToFloat(c)))
                QCOMPARE(number::floatToF16(number::f16ToFloat(c)), c);
            if (!std::isnan(number::bf16ToFloat(c)))
                QCOMPARE(number::floatToBf16(number::bf16ToFloat(c)), c);
        }
    }

    void roundingIsToNearestEven() {
        QCOMPARE(number::f16ToFloat(number::floatToF16(1.00048828125f)), 1.0f);
        QCOMPARE(number::f16ToFloat(number::floatToF16(1.00146484375f)), 1.001953125f);
        QCOMPARE(number::f16ToFloat(number::floatToF16(65519.996f)), 65504.0f);
        QVERIFY(std::isinf(number::f16ToFloat(number::floatToF16(65520.0f))));
        const auto x = formats::loadTensor(table("rounding.npz:x")).values,
                   f16 = formats::loadTensor(table("rounding.npz:f16")).values,
                   bf16 = formats::loadTensor(table("rounding.npz:bf16")).values;
        for (size_t i = 0; i < x.size(); ++i) {
            QVERIFY(std::isnan(f16[i]) ? std::isnan(number::f16ToFloat(number::floatToF16(x[i])))
                                       : number::f16ToFloat(number::floatToF16(x[i])) == f16[i]);
            QVERIFY(std::isnan(bf16[i]) ? std::isnan(number::bf16ToFloat(number::floatToBf16(x[i])))
                                        : number::bf16ToFloat(number::floatToBf16(x[i])) == bf16[i]);
        }
    }
};

QTEST_GUILESS_MAIN(NumberTest)
#include "number_test.moc"
