#include "storage/recovery.hpp"

#include "storage/log_scanner.hpp"
#include "storage/log_writer.hpp"
#include "tests/storage/sample_log.hpp"
#include "tests/storage/simulated_disk.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace holdfast::storage {
namespace {

using ::testing::HasSubstr;

const path directory{"/store/commitlog"};
constexpr std::uint64_t segment_size = 65536;

class recovery_test : public ::testing::Test {
  protected:
    recovery_test() { options_.segments = {segment_size, write_mode::buffered}; }

    result<recovered_log> recovered() { return recover(disk_, directory, options_); }

    // Every body is one flushed batch of one entry.
    void append(std::vector<std::size_t> body_sizes) {
        auto log = recovered();
        ASSERT_TRUE(log.ok()) << log.failure();
        sample_.continue_at(*log);
        auto writer = log_writer::open(*log->segments, log->end);
        ASSERT_TRUE(writer.ok());
        for (const auto size : body_sizes) {
            const auto at = (*writer)->written_until();
            ASSERT_TRUE((*writer)->write(sample_.make(size, at, size), at).ok());
            ASSERT_TRUE((*writer)->flush().ok());
        }
    }

    [[nodiscard]] const entry_header& entry(std::size_t index) const {
        return sample_.entries()[index].header;
    }
    [[nodiscard]] std::size_t count() const { return sample_.entries().size(); }

    static path file_of(log_position position) {
        return directory / segment_file_name(log_position{align_down(position.value(), segment_size)});
    }
    static std::uint64_t offset_of(log_position position) { return position.value() % segment_size; }

    void zero(log_position first, std::uint64_t bytes) {
        disk_.overwrite(file_of(first), offset_of(first), std::vector<std::byte>(bytes));
    }

    void expect_refused_at(log_position position, const std::string& words) {
        const auto before = disk_.content(file_of(position));
        const auto log = recovered();
        ASSERT_FALSE(log.ok()) << "recovered until " << log->end;
        EXPECT_EQ(log.failure().code, errc::corrupted);
        EXPECT_THAT(log.failure().message, HasSubstr("acceptDataLoss=" + std::to_string(position.value())));
        EXPECT_THAT(log.failure().message, HasSubstr(file_of(position).string()));
        EXPECT_THAT(log.failure().message, HasSubstr(words));
        EXPECT_EQ(disk_.content(file_of(position)), before) << "a refused recovery changed the file";
    }

    void expect_cut_at(log_position position) {
        const auto log = recovered();
        ASSERT_TRUE(log.ok()) << log.failure();
        EXPECT_EQ(log->end, position);
        for (const auto& one : log->segments->list()) {
            const auto bytes = disk_.content(one->name());
            const auto from = std::min(std::max(position, one->first()), one->last()) - one->first();
            EXPECT_TRUE(std::all_of(bytes.begin() + static_cast<std::ptrdiff_t>(from), bytes.end(),
                                    [](std::byte byte) { return byte == std::byte{}; }));
        }
        const auto again = recovered();
        ASSERT_TRUE(again.ok());
        EXPECT_EQ(again->end, position);
        EXPECT_FALSE(again->cut.has_value()) << "the first cut was not complete";
    }

    simulated_disk disk_{{}};
    recovery_options options_;
    testing::sample_log sample_;
};

TEST_F(recovery_test, empty_directory_is_a_new_log) {
    const auto log = recovered();
    ASSERT_TRUE(log.ok()) << log.failure();
    EXPECT_EQ(log->end, log_position{});
    EXPECT_FALSE(log->last_entry.has_value());
    EXPECT_EQ(log->geometry, (segment_geometry{log_position{}, segment_size, segment_size}));
    EXPECT_FALSE(log->cut.has_value());
}

TEST_F(recovery_test, whole_log_comes_back) {
    append({100, 5000, 60000, 64000, 70}); // crosses segments with fillers
    const auto log = recovered();
    ASSERT_TRUE(log.ok()) << log.failure();
    EXPECT_EQ(log->end, sample_.next());
    EXPECT_EQ(log->last_checksum, entry(count() - 1).checksum);
    EXPECT_EQ(log->last_term, term_number{1});
    EXPECT_EQ(log->geometry.first.value(), align_down(sample_.next().value(), segment_size));
    std::size_t seen = 0;
    ASSERT_TRUE(for_each_entry(*log->segments, {}, log->end, [&](const scanned_entry& one) -> result<void> {
                    seen += one.header.count;
                    return {};
                }).ok());
    EXPECT_EQ(seen, 5);
}

TEST_F(recovery_test, segment_that_is_exactly_full_goes_on_in_the_next) {
    append({segment_size - entry_header_size});
    const auto log = recovered();
    ASSERT_TRUE(log.ok()) << log.failure();
    EXPECT_EQ(log->end, log_position{segment_size});
    EXPECT_EQ(log->geometry.last(), log_position{segment_size});
    append({10});
    EXPECT_EQ(entry(1).position, log_position{segment_size});
    EXPECT_EQ(recovered()->end, sample_.next());
}

// Truncation and damage at every byte of the last two records: the last batch may be cut, what is before it
// not.
TEST_F(recovery_test, file_truncated_at_every_byte_of_the_last_records) {
    append({100, 50, 90});
    const auto name = file_of({});
    const auto whole = disk_.content(name);
    for (auto size = entry(1).position.value(); size < sample_.next().value(); ++size) {
        disk_.resize(name, size);
        const auto log = recovered();
        const bool last_is_whole = size >= entry(2).end().value();
        if (size < entry(1).end().value()) {
            // All behind is gone as well, so only what was applied tells.
            ASSERT_TRUE(log.ok()) << log.failure();
            EXPECT_EQ(log->end, entry(1).position) << size;
        } else {
            ASSERT_TRUE(log.ok()) << log.failure();
            EXPECT_EQ(log->end, last_is_whole ? entry(2).next() : entry(2).position) << size;
        }
        disk_.resize(name, whole.size());
        disk_.overwrite(name, 0, whole);
        options_.durable_until = entry(2).end();
        disk_.resize(name, size);
        EXPECT_EQ(recovered().ok(), last_is_whole) << size;
        options_.durable_until = {};
        disk_.resize(name, whole.size());
        disk_.overwrite(name, 0, whole);
    }
}

TEST_F(recovery_test, every_flipped_bit_of_the_last_entry_is_cut_and_of_one_before_refused) {
    append({100, 50, 90});
    const auto name = file_of({});
    const auto whole = disk_.content(name);
    for (auto at = entry(1).position; at < entry(2).end(); at += 1) {
        const bool in_last = at >= entry(2).position;
        if (!in_last && at >= entry(1).end())
            continue; // padding belongs to nobody
        disk_.flip_bit(name, offset_of(at), at.value() % 8);
        const auto log = recovered();
        if (in_last) {
            ASSERT_TRUE(log.ok()) << log.failure();
            EXPECT_EQ(log->end, entry(2).position);
            EXPECT_TRUE(log->cut.has_value());
        } else {
            ASSERT_FALSE(log.ok()) << at;
            EXPECT_EQ(log.failure().code, errc::corrupted);
        }
        disk_.overwrite(name, 0, whole);
    }
}

TEST_F(recovery_test, rot_in_the_middle_is_never_cut) {
    append({1000, 2000, 3000, 100});
    disk_.flip_bit(file_of({}), offset_of(entry(1).position + 500), 3);
    expect_refused_at(entry(1).position,
                      "the entry at log position " + std::to_string(entry(2).position.value()));
}

TEST_F(recovery_test, rot_before_a_later_segment_is_never_cut) {
    append({1000, 60000, 60000});
    zero(entry(1).position, segment_size - entry(1).position.value()); // to the end of its file
    expect_refused_at(entry(1).position, "was flushed");
}

TEST_F(recovery_test, rot_in_the_last_entry_is_not_cut_when_it_was_applied) {
    append({1000, 2000});
    disk_.flip_bit(file_of({}), offset_of(entry(1).position + 500), 3);
    options_.durable_until = entry(1).end();
    expect_refused_at(entry(1).position, "was applied");
}

TEST_F(recovery_test, rot_above_the_hint_is_found_and_below_it_not_read) {
    append({1000, 2000, 3000, 100});
    const auto whole = disk_.content(file_of({}));
    options_.scan_from = entry(2).position;
    options_.durable_until = entry(2).end();
    disk_.flip_bit(file_of({}), offset_of(entry(0).position + 500), 3);
    const auto log = recovered();
    ASSERT_TRUE(log.ok()) << log.failure();
    EXPECT_EQ(log->end, sample_.next());
    EXPECT_EQ(log->scanned_bytes, sample_.next() - entry(2).position);
    disk_.overwrite(file_of({}), 0, whole);
    disk_.flip_bit(file_of({}), offset_of(entry(2).position + 500), 3);
    expect_refused_at(entry(2).position, "was flushed");
}

TEST_F(recovery_test, hint_that_is_no_entry_falls_back_to_the_segments_start) {
    append({1000, 60000, 3000, 100});
    for (const auto hint :
         {entry(2).position + 64, entry(3).position + 1, sample_.next(), sample_.next() + 64}) {
        options_.scan_from = hint;
        const auto log = recovered();
        if (hint <= sample_.next()) {
            ASSERT_TRUE(log.ok()) << log.failure();
            EXPECT_EQ(log->end, sample_.next());
            EXPECT_EQ(log->last_checksum, entry(count() - 1).checksum);
        } else {
            EXPECT_FALSE(log.ok()) << "the derived store is ahead of the log";
        }
    }
}

TEST_F(recovery_test, operator_may_accept_the_loss) {
    append({1000, 60000, 60000, 100});
    disk_.flip_bit(file_of({}), offset_of(entry(1).position + 500), 3);
    options_.accept_loss_at = entry(1).position + 64;
    expect_refused_at(entry(1).position, "was flushed"); // another position than the word says
    options_.accept_loss_at = entry(1).position;
    const auto log = recovered();
    ASSERT_TRUE(log.ok()) << log.failure();
    ASSERT_TRUE(log->cut.has_value());
    EXPECT_TRUE(log->cut->loss_accepted);
    EXPECT_EQ(log->cut->position, entry(1).position);
    EXPECT_THAT(log->cut->reason, HasSubstr("checksum"));
    options_.accept_loss_at.reset();
    expect_cut_at(entry(1).position);
    append({100, 200});
    EXPECT_EQ(recovered()->end, sample_.next());
}

TEST_F(recovery_test, missing_middle_segment_is_refused) {
    append({60000, 60000, 60000});
    disk_.erase(directory / segment_file_name(log_position{segment_size}));
    const auto log = recovered();
    ASSERT_FALSE(log.ok());
    EXPECT_EQ(log.failure().code, errc::corrupted);
    EXPECT_THAT(log.failure().message, HasSubstr("the next segment begins at 131072"));
}

TEST_F(recovery_test, middle_segment_shorter_than_its_place_is_refused) {
    append({60000, 60000});
    disk_.resize(file_of({}), segment_size - 4096);
    const auto log = recovered();
    ASSERT_FALSE(log.ok());
    EXPECT_EQ(log.failure().code, errc::corrupted);
}

TEST_F(recovery_test, all_files_gone_is_refused_when_something_was_applied) {
    append({1000});
    options_.durable_until = entry(0).end();
    disk_.erase(file_of({}));
    const auto log = recovered();
    ASSERT_FALSE(log.ok());
    EXPECT_EQ(log.failure().code, errc::corrupted);
}

TEST_F(recovery_test, empty_short_and_zero_filled_next_segments_are_fine) {
    for (const std::uint64_t size : {std::uint64_t{0}, std::uint64_t{4096}, segment_size}) {
        append({60000});
        auto next_file =
            disk_.open(directory / segment_file_name(recovered()->geometry.last()), open_mode::create);
        ASSERT_TRUE(next_file.ok());
        ASSERT_TRUE((*next_file)->allocate(size).ok());
        ASSERT_TRUE((*next_file)->sync_data().ok());
        const auto log = recovered();
        ASSERT_TRUE(log.ok()) << log.failure();
        EXPECT_EQ(log->end, sample_.next());
        EXPECT_FALSE(log->cut.has_value());
        append({30000, 30000});
        EXPECT_EQ(recovered()->end, sample_.next());
    }
}

TEST_F(recovery_test, another_segment_size_in_the_config_counts_for_new_segments) {
    append({1000});
    options_.segments.segment_size = 2 * segment_size;
    auto log = recovered();
    ASSERT_TRUE(log.ok());
    EXPECT_EQ(log->geometry.size, 2 * segment_size); // the last file grows, nothing follows it
    append({100000, 100000});
    options_.segments.segment_size = segment_size;
    log = recovered();
    ASSERT_TRUE(log.ok());
    EXPECT_EQ(log->end, sample_.next());
    EXPECT_EQ(log->geometry.size, 2 * segment_size);
    EXPECT_EQ(log->geometry.next_size, segment_size);
    append({60000, 60000});
    EXPECT_EQ(recovered()->end, sample_.next());
}

// The place behind the end was used before: entries with right positions and checksums, of an older story.
TEST_F(recovery_test, old_bytes_in_a_reused_place_are_not_taken_for_log) {
    append({500, 500, 500, 500});
    const auto old = disk_.content(file_of({}));
    const auto third = entry(2).position;
    zero(third, segment_size - third.value());
    append({400}); // term 2, in the place of the third, with another end
    const auto end = sample_.next();
    disk_.overwrite(file_of(end), offset_of(end), byte_view{old}.subspan(offset_of(end), 4096));
    expect_cut_at(end);

    append({436}); // now the old fourth stands exactly where the next entry would
    const auto fourth = sample_.next();
    const auto stale = entry_header_size + 500;
    entry_header header;
    header.position = fourth;
    header.term = term_number{1};
    header.flushed = third;
    std::vector<std::byte> bytes(stale);
    seal_entry(header, bytes);
    disk_.overwrite(file_of(fourth), offset_of(fourth), bytes);
    expect_cut_at(fourth);
}

TEST_F(recovery_test, unacknowledged_batch_over_two_segments_is_cut_with_its_new_file) {
    append({60000});
    auto log = recovered();
    auto writer = log_writer::open(*log->segments, log->end);
    std::vector<shared_bytes> batch;
    for (int i = 0; i < 3; ++i)
        for (auto& one : sample_.make(3000, log->end, 1))
            batch.push_back(one);
    ASSERT_TRUE((*writer)->write(batch, log->end).ok());
    ASSERT_TRUE((*writer)->flush().ok());
    log->segments.reset();
    disk_.flip_bit(file_of(entry(1).position), offset_of(entry(1).position + 100), 1);
    expect_cut_at(entry(1).position);
    append({3000, 3000, 3000});
    EXPECT_EQ(recovered()->end, sample_.next());
}

TEST_F(recovery_test, unreadable_disk_is_an_error_not_an_end) {
    append({1000, 2000});
    disk_.fail_reads_at(file_of({}), offset_of(entry(1).position));
    const auto log = recovered();
    ASSERT_FALSE(log.ok());
    EXPECT_EQ(log.failure().code, errc::io_failed);
    disk_.heal_reads();
    EXPECT_EQ(recovered()->end, sample_.next());
}

TEST_F(recovery_test, log_without_its_removed_beginning) {
    append({60000, 60000, 60000, 100});
    {
        auto log = recovered();
        const auto removed = log->segments->remove_before(log_position{2 * segment_size + 1});
        ASSERT_TRUE(removed.ok());
        EXPECT_EQ(*removed, 2);
        EXPECT_EQ(log->segments->first(), log_position{2 * segment_size});
        EXPECT_EQ(*log->segments->remove_before(log_position{UINT64_MAX}), 0)
            << "the one being written stays";
    }
    disk_.crash();
    const auto log = recovered();
    ASSERT_TRUE(log.ok()) << log.failure();
    EXPECT_EQ(log->first, log_position{2 * segment_size});
    EXPECT_EQ(log->end, sample_.next());
}

TEST_F(recovery_test, log_of_an_earlier_build_is_refused_and_left_alone) {
    append({100});
    std::byte version[2];
    store_little(version, std::uint16_t{1});
    disk_.overwrite(file_of({}), 52, version);
    const auto before = disk_.content(file_of({}));
    const auto log = recovered();
    ASSERT_FALSE(log.ok());
    EXPECT_EQ(log.failure().code, errc::not_supported);
    EXPECT_THAT(log.failure().message, HasSubstr("earlier build"));
    EXPECT_THAT(log.failure().message, HasSubstr(file_of({}).string()));
    EXPECT_EQ(disk_.content(file_of({})), before);
}

TEST_F(recovery_test, tells_the_terms_the_last_time_and_what_was_committed) {
    append({100, 60000}); // each append() is a term of its own
    append({100});
    append({64000, 100});
    const auto log = recovered();
    ASSERT_TRUE(log.ok()) << log.failure();
    std::vector<std::pair<log_position, term_number>> terms;
    log_position committed;
    for (const auto& one : sample_.entries()) {
        if (terms.empty() || terms.back().second != one.header.term)
            terms.emplace_back(one.header.position, one.header.term);
        committed = std::max(committed, one.header.committed);
    }
    ASSERT_EQ(terms.size(), 3U);
    EXPECT_EQ(log->terms, terms);
    EXPECT_GT(committed, log_position{});
    EXPECT_EQ(log->committed, committed);
    EXPECT_EQ(log->last_timestamp, sample_.entries().back().header.timestamp);
    options_.scan_from = sample_.entries().back().header.position;
    const auto late = recovered();
    ASSERT_TRUE(late.ok()) << late.failure();
    EXPECT_EQ(late->terms, (decltype(terms){{options_.scan_from, terms.back().second}}));
}

} // namespace
} // namespace holdfast::storage
