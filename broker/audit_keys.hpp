// The part of an audit that compares the key index with the log.
//
// The keys of all records and the entries of the index are added up, for each GiB of log apart: 64-bit sums
// of strong hashes, so that the order does not matter and nothing is kept. Where two sums differ, that part
// of the log is gone through again, a million keys at a time, to name what is missing or should not be there.
#pragma once

#include "base/result.hpp"
#include "broker/audit_report.hpp"
#include "storage/key_index.hpp"
#include "storage/log_scanner.hpp"

#include <filesystem>
#include <map>
#include <vector>

namespace holdfast::broker {

class key_audit {
  public:
    key_audit(const std::filesystem::path& directory, const storage::key_index& index, audit_report& report)
        : directory_(directory.string()), index_(index), report_(report) {}

    // The next entry, which check_entry took.
    void add(const storage::scanned_entry& entry);
    // All of [first, end) was added.
    void finish(const storage::segment_set& segments, log_position first, log_position end);

  private:
    struct sum {
        std::uint64_t count = 0;
        std::uint64_t hashes = 0;
        friend bool operator==(const sum&, const sum&) = default;
        void add(const storage::key_entry& entry);
    };
    // What is known of one generation. Entries may reach over its end: with `first` and `last` all those that
    // have a record in it are gone through again.
    struct generation {
        sum expected;
        sum found;
        log_position first; // of the first entry
        log_position last;  // behind the last entry
    };

    void name_differences(const storage::segment_set& segments, log_position first, log_position last);
    void compare_piece(const storage::segment_set& segments, std::vector<storage::key_entry> expected,
                       log_position first, log_position last);
    void name_missing(const storage::segment_set& segments, log_position first, log_position last,
                      const std::vector<storage::key_entry>& missing);
    void complain(std::string what, std::optional<log_position> position = {});

    const std::string directory_;
    const storage::key_index& index_;
    audit_report& report_;
    std::map<std::uint64_t, generation> generations_;
    std::vector<storage::key_entry> keys_; // of one entry
};

} // namespace holdfast::broker
