// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/collectives/rank/mpi_library.h"

#include "core/collectives/rank/mpi_transport.h"

#include <cstddef>
#include <cstdint>
#include <span>

namespace warplight::collectives {
namespace {

/// What MPI_Op_create takes. Only the function tells it what the two bytes are.
template <number::Format type, Reduction reduction>
void combineFor(void* from, void* into, int* count, MPI_Datatype*) {
    combine(type, reduction, into, from, *count);
}

MPI_User_function* combineFunction(number::Format type, bool isMax) {
    if (type == number::Format::F16)
        return isMax ? combineFor<number::Format::F16, Reduction::Max>
                     : combineFor<number::Format::F16, Reduction::Sum>;
    return isMax ? combineFor<number::Format::BF16, Reduction::Max> : combineFor<number::Format::BF16, Reduction::Sum>;
}

} // namespace

MpiLibrary::MpiLibrary(const RankCommand& command, int rank, int ranks)
    : command(command), rank(rank), ranks(ranks), elementBytes(number::bytes(command.type)) {
    const bool isMax = command.reduction == Reduction::Max;
    type = command.type == number::Format::F32 ? MPI_FLOAT : MPI_DOUBLE;
    operation = isMax ? MPI_MAX : MPI_SUM;
    if (elementBytes == 2) {
        checkMpi(MPI_Type_contiguous(2, MPI_BYTE, &type), "MPI_Type_contiguous");
        ownsType = true;
        checkMpi(MPI_Type_commit(&type), "MPI_Type_commit");
        checkMpi(MPI_Op_create(combineFunction(command.type, isMax), 1, &operation), "MPI_Op_create");
        ownsOperation = true;
    }
    for (int each = 0; each < ranks; ++each) {
        const Range chunk = chunkRange(command.elements, ranks, each);
        begins.push_back(static_cast<int>(chunk.begin));
        counts.push_back(static_cast<int>(chunk.size()));
    }
}

MpiLibrary::~MpiLibrary() {
    if (ownsType)
        MPI_Type_free(&type);
    if (ownsOperation)
        MPI_Op_free(&operation);
}

void MpiLibrary::run(std::span<const std::byte> input, std::span<std::byte> vector) {
    const auto elements = static_cast<int>(static_cast<int64_t>(vector.size()) / elementBytes);
    const auto own = static_cast<size_t>(rank);
    std::byte* const chunk = vector.data() + begins[own] * elementBytes;
    switch (command.collective) {
    case Collective::Allreduce:
        checkMpi(MPI_Allreduce(MPI_IN_PLACE, vector.data(), elements, type, operation, MPI_COMM_WORLD),
                 "MPI_Allreduce");
        break;
    case Collective::ReduceScatter:
        checkMpi(MPI_Reduce_scatter(input.data(), chunk, counts.data(), type, operation, MPI_COMM_WORLD),
                 "MPI_Reduce_scatter");
        break;
    case Collective::AllGather:
        checkMpi(
            MPI_Allgatherv(MPI_IN_PLACE, 0, type, vector.data(), counts.data(), begins.data(), type, MPI_COMM_WORLD),
            "MPI_Allgatherv");
        break;
    case Collective::Broadcast:
        checkMpi(MPI_Bcast(vector.data(), elements, type, 0, MPI_COMM_WORLD), "MPI_Bcast");
        break;
    }
    if (command.reduction != Reduction::Average || !command.divides)
        return;
    if (command.collective == Collective::Allreduce)
        divide(command.type, vector.data(), elements, ranks);
    else if (command.collective == Collective::ReduceScatter)
        divide(command.type, chunk, counts[own], ranks);
}

} // namespace warplight::collectives
