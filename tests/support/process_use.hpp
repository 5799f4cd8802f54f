// What a process uses, as the kernel tells.
#pragma once

#include <filesystem>
#include <fstream>
#include <string>

#include <sys/types.h>

namespace holdfast::testing {

[[nodiscard]] inline std::size_t resident_bytes(pid_t pid) {
    std::ifstream status{"/proc/" + std::to_string(pid) + "/status"};
    for (std::string line; std::getline(status, line);)
        if (line.starts_with("VmRSS:"))
            return std::stoul(line.substr(6)) * 1024;
    return 0;
}

[[nodiscard]] inline std::size_t open_files(pid_t pid) {
    std::size_t count = 0;
    std::error_code gone; // a descriptor, while we look
    for (std::filesystem::directory_iterator each{"/proc/" + std::to_string(pid) + "/fd", gone}, end;
         !gone && each != end; each.increment(gone))
        ++count;
    return count;
}

} // namespace holdfast::testing
