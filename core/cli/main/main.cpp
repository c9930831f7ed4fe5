#include "core/cli/cli.h"
#include "core/labs/allreduce/allreduce_lab.h"
#include "core/labs/attention/attention_lab.h"
#include "core/labs/devices/devices_lab.h"
#include "core/labs/inspector/inspector_lab.h"
#include "core/labs/profile/profile_lab.h"

int main(int argc, char** argv) {
    warplight::lab::Registry registry;
    warplight::labs::registerAttentionLab(registry);
    warplight::labs::registerAllreduceLab(registry);
    warplight::labs::registerInspector(registry);
    warplight::labs::registerProfileLab(registry);
    warplight::labs::registerDevices(registry);
    return warplight::cli::runCli(argc, argv, registry);
}
