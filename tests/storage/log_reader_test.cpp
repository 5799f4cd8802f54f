#include "storage/log_reader.hpp"

#include "storage/log_scanner.hpp"
#include "storage/log_store.hpp"
#include "tests/storage/sample_log.hpp"
#include "tests/storage/simulated_disk.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

namespace holdfast::storage {
namespace {

using ::testing::HasSubstr;

constexpr std::uint64_t segment_size = 65536;

class log_reader_test : public ::testing::Test {
  protected:
    log_reader_test() {
        options_.recovery.segments.segment_size = segment_size;
        options_.reading.read_ahead_bytes = 8192;
        open();
    }

    void open() {
        store_.reset();
        auto opened = log_store::open(disk_, "/store", options_);
        HOLDFAST_CHECK(opened.ok());
        store_ = *std::move(opened);
        sample_.continue_at(store_->recovered());
    }

    void append(std::vector<std::size_t> body_sizes) {
        for (const auto size : body_sizes) {
            const auto at = store_->writer().written_until();
            const auto entries = sample_.make(size, at, size);
            ASSERT_TRUE(store_->writer().write(entries, at).ok());
            ASSERT_TRUE(store_->writer().flush().ok());
        }
    }

    // Bodies as broker/ lays them out: each command's header says how far back its entry begins.
    log_position append_with_record(std::size_t before, std::size_t payload) {
        const auto at = store_->writer().written_until();
        entry_header header;
        header.position = at;
        header.previous_checksum = sample_.entries().empty() ? 0 : sample_.entries().back().header.checksum;
        header.term = term_number{9};
        header.flushed = at;
        const auto record = entry_header_size + before + command_header_size;
        std::shared_ptr<std::byte[]> owner{new std::byte[record + payload]{}};
        store_little(owner.get() + record - command_header_size + command_back_pointer_offset,
                     static_cast<std::uint32_t>(record));
        seal_entry(header, {owner.get(), record + payload});
        const std::vector<shared_bytes> entries{
            {std::shared_ptr<const void>{owner, owner.get()}, {owner.get(), record + payload}}};
        HOLDFAST_CHECK(store_->writer().write(entries, at).ok());
        HOLDFAST_CHECK(store_->writer().flush().ok());
        return at + record;
    }

    simulated_disk disk_{{}};
    log_options options_;
    testing::sample_log sample_;
    std::unique_ptr<log_store> store_;
};

TEST_F(log_reader_test, every_entry_reads_back_cold_and_hot) {
    append({10, 500, 20000, 3000, 40000, 64000, 1});
    for (int round = 0; round < 2; ++round)
        for (const auto& one : sample_.entries()) {
            const auto read = store_->reader().read_entry(one.header.position);
            ASSERT_TRUE(read.ok()) << read.failure();
            EXPECT_TRUE(std::ranges::equal(read->view(), one.bytes.view()));
        }
    EXPECT_GT(store_->cache().counts().hits, 0U);
}

TEST_F(log_reader_test, one_cold_read_brings_its_neighbours) {
    append({100, 100, 100, 100});
    ASSERT_TRUE(store_->reader().read_entry(log_position{}).ok());
    const auto misses = store_->cache().counts().misses;
    for (const auto& one : sample_.entries())
        ASSERT_TRUE(store_->reader().read_entry(one.header.position).ok());
    EXPECT_EQ(store_->cache().counts().misses, misses);
}

TEST_F(log_reader_test, nothing_is_read_at_and_behind_the_end) {
    append({100});
    const auto end = sample_.next();
    const auto read = store_->reader().read_entry(end);
    ASSERT_FALSE(read.ok());
    EXPECT_EQ(read.failure().code, errc::not_found);
    EXPECT_EQ(store_->reader().read_entry(end + 1'000'000'000).failure().code, errc::not_found);
}

TEST_F(log_reader_test, rotten_entry_is_reported_and_its_neighbours_served) {
    append({100, 100, 100});
    const auto rotten = sample_.entries()[1].header.position;
    const path file = path{"/store/commitlog"} / segment_file_name({});
    disk_.flip_bit(file, rotten.value() + 80, 2);
    EXPECT_TRUE(store_->reader().read_entry({}).ok());
    const auto read = store_->reader().read_entry(rotten);
    ASSERT_FALSE(read.ok());
    EXPECT_EQ(read.failure().code, errc::corrupted);
    EXPECT_THAT(read.failure().message, HasSubstr(file.string()));
    EXPECT_THAT(read.failure().message, HasSubstr(std::to_string(rotten.value())));
    EXPECT_TRUE(store_->reader().read_entry(sample_.entries()[2].header.position).ok());
}

TEST_F(log_reader_test, position_within_an_entry_is_no_entry) {
    append({1000});
    EXPECT_EQ(store_->reader().read_entry(log_position{64}).failure().code, errc::corrupted);
}

TEST_F(log_reader_test, record_finds_its_entry_by_the_back_pointer_and_from_memory) {
    append({1000, 2000});
    const auto record = append_with_record(30000, 50);
    for (int round = 0; round < 2; ++round) {
        const auto found = store_->reader().entry_containing(record);
        ASSERT_TRUE(found.ok()) << found.failure();
        EXPECT_EQ(found->position, sample_.next());
        EXPECT_EQ(found->entry.size(), entry_header_size + 30000 + command_header_size + 50);
    }
    EXPECT_EQ(store_->cache().counts().hits, 1U);
}

TEST_F(log_reader_test, made_up_record_positions_get_an_error) {
    append({1000, 2000, 60000});
    entry_cache nothing{0};
    log_reader cold{store_->segments(), nothing};
    for (std::uint64_t position = 0; position < segment_size + 1000; position += 7) {
        const auto found = cold.entry_containing(log_position{position});
        EXPECT_FALSE(found.ok()) << position;
    }
}

TEST_F(log_reader_test, segments_tell_their_age_by_what_follows) {
    append({60000, 60000, 100});
    const auto all = store_->reader().segments();
    ASSERT_TRUE(all.ok());
    ASSERT_EQ(all->size(), 2U);
    const auto& following = *std::ranges::find(sample_.entries(), log_position{segment_size},
                                               [](const auto& one) { return one.header.position; });
    EXPECT_EQ((*all)[0].newest, following.header.timestamp);
    EXPECT_EQ((*all)[0].last, log_position{segment_size});
    EXPECT_FALSE((*all)[1].newest.has_value());
}

TEST_F(log_reader_test, removed_entries_are_gone_from_memory_too) {
    append({60000, 60000, 60000});
    for (const auto& one : sample_.entries())
        store_->cache().insert(one.header.position, one.bytes);
    const auto first = store_->remove_before(log_position{segment_size + 100});
    ASSERT_TRUE(first.ok());
    EXPECT_EQ(*first, log_position{segment_size});
    const auto read = store_->reader().read_entry({});
    ASSERT_FALSE(read.ok());
    EXPECT_EQ(read.failure().code, errc::not_found);
    EXPECT_THAT(read.failure().message, HasSubstr("the log begins at 65536"));
}

// A reader that holds a segment is not disturbed by its removal; many read while one writes.
TEST_F(log_reader_test, many_readers_beside_the_writer) {
    append({100});
    std::atomic<bool> done{false};
    std::atomic<std::uint64_t> wrong{0};
    std::vector<std::thread> readers;
    for (unsigned seed = 0; seed < 3; ++seed)
        readers.emplace_back([&, seed] {
            std::mt19937_64 random{seed};
            entry_cache own{0};
            log_reader cold{store_->segments(), own};
            while (!done) {
                auto at = store_->segments().first();
                for (int i = 0; i < 20; ++i) {
                    const auto entry =
                        random() % 2 == 0 ? cold.read_entry(at) : store_->reader().read_entry(at);
                    if (!entry) {
                        wrong += entry.failure().code == errc::not_found ? 0 : 1;
                        break;
                    }
                    const auto header = decode_entry(entry->view());
                    wrong += header && header->position == at ? 0 : 1;
                    at = header->is_filler() ? log_position{align_up(at.value() + 1, segment_size)}
                                             : header->next();
                }
            }
        });
    for (int i = 0; i < 300; ++i) {
        append({static_cast<std::size_t>(1 + i * 37 % 5000)});
        const auto kept = std::min(2 * segment_size, sample_.next().value());
        const bool removed = i % 50 != 49 || store_->remove_before(sample_.next() - kept).ok();
        EXPECT_TRUE(removed);
    }
    done = true;
    for (auto& one : readers)
        one.join();
    EXPECT_EQ(wrong, 0U);
    EXPECT_GT(store_->segments().first(), log_position{});
}

TEST_F(log_reader_test, for_each_entry_visits_a_range_without_fillers) {
    append({60000, 60000, 10, 20});
    std::vector<log_position> seen;
    const auto last = sample_.entries().back().header.position;
    const auto visit = [&](const scanned_entry& one) -> result<void> {
        seen.push_back(one.header.position);
        return {};
    };
    ASSERT_TRUE(for_each_entry(store_->segments(), log_position{segment_size}, last, visit).ok());
    EXPECT_EQ(seen.size(), 2U);
    EXPECT_FALSE(for_each_entry(store_->segments(), {}, sample_.next() + segment_size * 4, visit).ok());
    const auto stop = [](const scanned_entry&) -> result<void> { return error{errc::unavailable, "stop"}; };
    EXPECT_EQ(for_each_entry(store_->segments(), {}, last, stop).failure().message, "stop");
}

} // namespace
} // namespace holdfast::storage
