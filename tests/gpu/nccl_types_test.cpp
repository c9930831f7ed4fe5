// SPDX-License-Identifier: GPL-3.0-or-later
// What gpu/nccl declares of NCCL by itself, against NVIDIA's own header. Built where nccl.h is found.
#include <nccl.h>
#include <string>
#include <utility>
#include <vector>

#include "gpu/nccl/nccl_library.h"

#include <QTest>

#include <type_traits>

using namespace warplight;
using nccl::Library;

namespace {

/// Two functions that are called in the same way: as many arguments, each of the same size and class.
template <class A, class B>
constexpr bool alike =
    sizeof(A) == sizeof(B) && std::is_pointer_v<A> == std::is_pointer_v<B>&& std::is_class_v<A> == std::is_class_v<B>;
template <class A, class B>
struct SameCall : std::false_type {};
template <class R, class... A, class S, class... B>
requires(sizeof...(A) == sizeof...(B)) struct SameCall<R (*)(A...), S (*)(B...)>
    : std::bool_constant<alike<R, S> && (alike<A, B> && ...)> {
};

#define SAME(ours, theirs) static_assert(SameCall<decltype(Library::ours), decltype(&theirs)>::value, #theirs)
SAME(getVersion, ncclGetVersion);
SAME(getUniqueId, ncclGetUniqueId);
SAME(commInitAll, ncclCommInitAll);
SAME(commInitRank, ncclCommInitRank);
SAME(commDestroy, ncclCommDestroy);
SAME(commAbort, ncclCommAbort);
SAME(commGetAsyncError, ncclCommGetAsyncError);
SAME(getErrorString, ncclGetErrorString);
SAME(getLastError, ncclGetLastError);
SAME(groupStart, ncclGroupStart);
SAME(groupEnd, ncclGroupEnd);
SAME(send, ncclSend);
SAME(receive, ncclRecv);
SAME(allReduce, ncclAllReduce);
SAME(reduceScatter, ncclReduceScatter);
SAME(allGather, ncclAllGather);
SAME(broadcast, ncclBroadcast);

} // namespace

class NcclTypesTest : public QObject {
    Q_OBJECT
  private slots:
    void numbersAreThoseOfTheHeader() {
        QCOMPARE(sizeof(nccl::UniqueId), sizeof(ncclUniqueId));
        using nccl::DataType, nccl::Operation, nccl::Result;
        const std::vector<std::pair<int, int>> pairs{{int(Result::Success), ncclSuccess},
                                                     {int(Result::UnhandledCudaError), ncclUnhandledCudaError},
                                                     {int(Result::SystemError), ncclSystemError},
                                                     {int(Result::InternalError), ncclInternalError},
                                                     {int(Result::InvalidArgument), ncclInvalidArgument},
                                                     {int(Result::InvalidUsage), ncclInvalidUsage},
                                                     {int(Result::RemoteError), ncclRemoteError},
                                                     {int(Result::InProgress), ncclInProgress},
                                                     {int(DataType::F16), ncclFloat16},
                                                     {int(DataType::F32), ncclFloat32},
                                                     {int(DataType::F64), ncclFloat64},
                                                     {int(DataType::BF16), ncclBfloat16},
                                                     {int(Operation::Sum), ncclSum},
                                                     {int(Operation::Max), ncclMax},
                                                     {int(Operation::Average), ncclAvg}};
        for (size_t i = 0; i < pairs.size(); ++i)
            QVERIFY2(pairs[i].first == pairs[i].second, qPrintable(QString("entry %1").arg(i)));
    }

    /// Every name that is asked for is one that NVIDIA's own library has, which needs no GPU to be opened.
    void namesAreThoseOfTheLibrary() {
        const auto opened = Library::open(WARPLIGHT_NCCL_LIBRARY);
        if (!opened.library && opened.whyNot.find("was not found") != std::string::npos)
            QSKIP("no libnccl.so.2 here");
        QVERIFY2(opened.library, opened.whyNot.c_str());
        QVERIFY(opened.library->getLastError);
        QVERIFY(opened.library->version() >= 20000);
        QVERIFY(QString::fromStdString(opened.library->text(nccl::Result::InvalidUsage)).contains("invalid usage"));
    }
};

QTEST_GUILESS_MAIN(NcclTypesTest)
#include "nccl_types_test.moc"
