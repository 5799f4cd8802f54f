#include "tests/chaos/logs_agree.hpp"

#include "storage/log_scanner.hpp"
#include "storage/posix_file_system.hpp"

#include <array>
#include <cstdio>
#include <memory>
#include <sys/wait.h>

namespace holdfast::chaos {

std::string logs_agree(const std::vector<std::filesystem::path>& nodes, log_position committed) {
    storage::posix_file_system files;
    std::vector<std::unique_ptr<storage::segment_set>> logs;
    log_position first{0};
    for (const auto& node : nodes) {
        auto log = storage::segment_set::open_read_only(files, (node / "commitlog").native());
        if (!log.ok())
            return log.failure().message;
        first = std::max(first, (*log)->first());
        logs.push_back(std::move(*log));
    }
    std::vector<std::unique_ptr<storage::log_scanner>> readers;
    for (const auto& log : logs)
        readers.push_back(std::make_unique<storage::log_scanner>(*log, first, committed));
    for (std::uint64_t count = 0;; ++count) {
        std::optional<storage::entry_header> same;
        for (std::size_t i = 0; i < readers.size(); ++i) {
            const auto place =
                nodes[i].filename().string() + " at " + std::to_string(readers[i]->position().value());
            const auto found = readers[i]->next();
            if (!found.ok())
                return place + ": " + found.failure().message;
            if (!*found) {
                // Compared with the others at the first reader's end.
                if (readers[i]->position() < committed)
                    return place + ": the log ends before " + std::to_string(committed.value());
                if (i + 1 == readers.size())
                    return count == 0 ? "there is nothing to compare" : std::string{};
                continue;
            }
            auto header = (*found)->header;
            header.flushed = {};
            if (i == 0)
                same = header;
            else if (!same || *same != header)
                return place + ": another entry than on " + nodes[0].filename().string();
        }
    }
}

std::string audited(const std::filesystem::path& node) {
    const auto line = std::string{HOLDFAST_BINARY} + " audit " + node.string() + " 2>&1";
    std::FILE* const pipe = ::popen(line.c_str(), "r");
    std::string text;
    std::array<char, 4096> chunk;
    for (std::size_t count = 0; (count = std::fread(chunk.data(), 1, chunk.size(), pipe)) != 0;)
        text.append(chunk.data(), count);
    const int status = ::pclose(pipe);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? std::string{}
                                                         : "audit of " + node.string() + ": " + text;
}

} // namespace holdfast::chaos
