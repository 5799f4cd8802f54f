#include "storage/key_index.hpp"

#include "storage/rocksdb_settings.hpp"
#include "tests/storage/temporary_directory.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rocksdb/db.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <limits>
#include <map>
#include <random>
#include <string>

namespace holdfast::storage {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::temporary_directory;

constexpr std::string_view log_id = "8c6d2f0e-55a1-4b0e-9d0b-3f1f1c9f7a11";
constexpr std::uint64_t generation = std::uint64_t{1} << key_index::generation_bits;
constexpr timestamp_ms from_ever{std::numeric_limits<std::int64_t>::min()};
constexpr timestamp_ms for_ever{std::numeric_limits<std::int64_t>::max()};
constexpr auto all = std::numeric_limits<std::size_t>::max();

std::unique_ptr<key_index> open_or_die(const std::filesystem::path& directory) {
    auto opened = key_index::open(directory, log_id);
    EXPECT_TRUE(opened.ok()) << (opened ? "" : opened.failure().message);
    return opened ? std::move(*opened) : nullptr;
}

key_entry entry(std::uint64_t hash, std::uint64_t position, std::int64_t stored_at_ms = 0) {
    return {hash, log_position{position}, timestamp_ms{stored_at_ms}};
}

std::vector<std::uint64_t> positions(const key_index& index, std::uint64_t hash,
                                     timestamp_ms begin = from_ever, timestamp_ms end = for_ever,
                                     std::size_t limit = all) {
    std::vector<std::uint64_t> positions;
    const auto found = index.find(hash, begin, end, limit);
    EXPECT_TRUE(found.ok());
    for (const auto& each : *found)
        positions.push_back(each.position.value());
    return positions;
}

std::vector<key_entry> scanned(const key_index& index, std::uint64_t first, std::uint64_t last) {
    std::vector<key_entry> entries;
    EXPECT_TRUE(index
                    .scan(log_position{first}, log_position{last},
                          [&](const key_entry& one) { entries.push_back(one); })
                    .ok());
    return entries;
}

// Behind the index's back; it is closed.
void put_raw(const std::filesystem::path& directory, const std::string& key, const std::string& value) {
    rocksdb::DB* opened = nullptr;
    ASSERT_TRUE(rocksdb::DB::Open({}, directory.string(), &opened).ok());
    const std::unique_ptr<rocksdb::DB> database{opened};
    ASSERT_TRUE(database->Put({}, key, value).ok());
}

std::uintmax_t bytes_in(const std::filesystem::path& directory) {
    std::uintmax_t bytes = 0;
    for (const auto& file : std::filesystem::directory_iterator(directory)) {
        std::error_code gone; // a merge may remove a table between its listing and this
        const auto size = std::filesystem::file_size(file.path(), gone);
        if (file.path().extension() == ".sst" && !gone)
            bytes += size;
    }
    return bytes;
}

// Stored on disk: these values must never change.
TEST(key_index, hashes_are_golden) {
    EXPECT_EQ(hash_key("", ""), 0x6A81AE5441D08140ULL);
    EXPECT_EQ(hash_key("TopicTest", "order-1"), 0xC24E4B478C65AB54ULL);
    EXPECT_EQ(hash_key("TopicTest", "7F0000010000000000000000000000000001"), 0x2D384AFD63F994F5ULL);
    EXPECT_EQ(hash_key("TopicTest", std::string(1000, 'k')), 0x5E95976D16AD56A2ULL);
}

TEST(key_index, short_and_long_keys_hash_the_same_text_the_same_way) {
    // 'a#b' + '#' + 'c' and 'a' + '#' + 'b#c' are one text: a collision by construction, which callers
    // filter.
    EXPECT_EQ(hash_key("a#b", "c"), hash_key("a", "b#c"));
    const std::string half(200, 'x');
    EXPECT_EQ(hash_key(half + "#" + half, "c"), hash_key(half, half + "#c"));
    EXPECT_NE(hash_key("a", "b"), hash_key("b", "a"));
}

TEST(key_index, a_new_index_is_empty) {
    const temporary_directory home;
    const auto index = open_or_die(home.path() / "keys");
    EXPECT_EQ(index->indexed_until(), log_position{0});
    EXPECT_THAT(positions(*index, 1), IsEmpty());
    EXPECT_THAT(positions(*index, 0), IsEmpty());
}

TEST(key_index, finds_what_was_added_newest_first_also_after_a_reopen) {
    const temporary_directory home;
    {
        auto index = open_or_die(home.path());
        ASSERT_TRUE(
            index->add(std::vector{entry(7, 300), entry(5, 100), entry(7, 200)}, log_position{400}).ok());
        ASSERT_TRUE(index->add(std::vector{entry(7, 500)}, log_position{600}).ok());
        EXPECT_THAT(positions(*index, 7), ElementsAre(500, 300, 200));
    }
    const auto index = open_or_die(home.path());
    EXPECT_EQ(index->indexed_until(), log_position{600});
    EXPECT_THAT(positions(*index, 7), ElementsAre(500, 300, 200));
    EXPECT_THAT(positions(*index, 5), ElementsAre(100));
    EXPECT_THAT(positions(*index, 6), IsEmpty());
}

TEST(key_index, a_bulk_without_entries_moves_the_position_durably) {
    const temporary_directory home;
    {
        auto index = open_or_die(home.path());
        ASSERT_TRUE(index->add(std::vector{entry(1, 10)}, log_position{20}).ok());
        ASSERT_TRUE(index->add({}, log_position{5 * generation + 3}).ok());
    }
    const auto index = open_or_die(home.path());
    EXPECT_EQ(index->indexed_until(), log_position{5 * generation + 3});
    EXPECT_THAT(positions(*index, 1), ElementsAre(10));
}

TEST(key_index, adding_the_same_again_changes_nothing) {
    const temporary_directory home;
    auto index = open_or_die(home.path());
    const std::vector entries{entry(1, 10, 100), entry(1, 10, 100), entry(2, generation + 5, 200)};
    for (int i = 0; i < 3; ++i) {
        ASSERT_TRUE(index->add(entries, log_position{generation + 10}).ok());
        EXPECT_THAT(positions(*index, 1), ElementsAre(10));
        EXPECT_THAT(positions(*index, 2), ElementsAre(generation + 5));
    }
}

TEST(key_index, records_that_share_a_hash_are_all_found) {
    const temporary_directory home;
    auto index = open_or_die(home.path());
    std::vector<key_entry> entries;
    for (std::uint64_t i = 0; i < 1000; ++i)
        entries.push_back(entry(42, i * 7));
    entries.push_back(entry(41, 3));
    entries.push_back(entry(43, 4));
    ASSERT_TRUE(index->add(entries, log_position{7000}).ok());
    const auto found = positions(*index, 42);
    ASSERT_EQ(found.size(), 1000U);
    EXPECT_TRUE(std::is_sorted(found.rbegin(), found.rend()));
}

TEST(key_index, hashes_at_both_ends_do_not_meet_the_marker) {
    const temporary_directory home;
    auto index = open_or_die(home.path());
    constexpr auto largest = std::numeric_limits<std::uint64_t>::max();
    ASSERT_TRUE(index
                    ->add(std::vector{entry(0, 0), entry(largest, generation - 1), entry(0, generation),
                                      entry(largest, 2 * generation)},
                          log_position{2 * generation + 1})
                    .ok());
    EXPECT_THAT(positions(*index, 0), ElementsAre(generation, 0));
    EXPECT_THAT(positions(*index, largest), ElementsAre(2 * generation, generation - 1));
}

TEST(key_index, both_ends_of_the_time_range_count) {
    const temporary_directory home;
    auto index = open_or_die(home.path());
    ASSERT_TRUE(
        index->add(std::vector{entry(1, 10, 1000), entry(1, 20, 2000), entry(1, 30, 3000)}, log_position{40})
            .ok());
    EXPECT_THAT(positions(*index, 1, timestamp_ms{1000}, timestamp_ms{2000}), ElementsAre(20, 10));
    EXPECT_THAT(positions(*index, 1, timestamp_ms{1001}, timestamp_ms{2999}), ElementsAre(20));
    EXPECT_THAT(positions(*index, 1, timestamp_ms{3001}, for_ever), IsEmpty());
    EXPECT_THAT(positions(*index, 1, timestamp_ms{2000}, timestamp_ms{1000}), IsEmpty());
    const auto found = index->find(1, timestamp_ms{2000}, timestamp_ms{2000}, all);
    EXPECT_THAT(*found, ElementsAre(found_key{log_position{20}, timestamp_ms{2000}}));
}

TEST(key_index, a_limit_keeps_the_newest) {
    const temporary_directory home;
    auto index = open_or_die(home.path());
    ASSERT_TRUE(index
                    ->add(std::vector{entry(1, 10, 1), entry(1, 20, 2), entry(1, generation, 3)},
                          log_position{generation + 1})
                    .ok());
    EXPECT_THAT(positions(*index, 1, from_ever, for_ever, 0), IsEmpty());
    EXPECT_THAT(positions(*index, 1, from_ever, for_ever, 1), ElementsAre(generation));
    EXPECT_THAT(positions(*index, 1, from_ever, for_ever, 2), ElementsAre(generation, 20));
    EXPECT_THAT(positions(*index, 1, from_ever, timestamp_ms{2}, 1), ElementsAre(20));
}

TEST(key_index, what_breaks_the_rules_of_positions_is_a_bug) {
    const temporary_directory home;
    auto index = open_or_die(home.path());
    ASSERT_TRUE(index->add({}, log_position{100}).ok());
    EXPECT_DEATH((void)index->add({}, log_position{99}), "indexed_until");
    EXPECT_DEATH((void)index->add(std::vector{entry(1, 200)}, log_position{200}), "indexed_until");
}

// -- rows ---------------------------------------------------------------------------------------------------

TEST(key_index, rows_of_several_bulks_are_read_as_one) {
    const temporary_directory home;
    auto index = open_or_die(home.path());
    for (std::uint64_t bulk = 0; bulk < 50; ++bulk) { // more than are merged at once
        const auto first = bulk * generation / 20;
        ASSERT_TRUE(index
                        ->add(std::vector{entry(1, first + 3), entry(2, first + 2), entry(1, first + 1)},
                              log_position{first + 10})
                        .ok());
    }
    std::vector<std::uint64_t> expected;
    for (std::uint64_t bulk = 50; bulk-- > 0;) {
        expected.push_back(bulk * generation / 20 + 3);
        expected.push_back(bulk * generation / 20 + 1);
    }
    EXPECT_EQ(positions(*index, 1), expected);
    for (std::size_t limit = 0; limit < expected.size(); ++limit) {
        const auto found = positions(*index, 1, from_ever, for_ever, limit);
        ASSERT_TRUE(std::equal(found.begin(), found.end(), expected.begin()));
        ASSERT_EQ(found.size(), limit);
    }
}

// As after the loss of the marker: the same log again, cut into other bulks.
TEST(key_index, an_entry_of_two_bulks_is_found_and_scanned_once) {
    const temporary_directory home;
    const std::vector entries{entry(1, 10, 1), entry(1, 20, 2), entry(2, 30, 3), entry(1, 40, 4)};
    {
        auto index = open_or_die(home.path());
        ASSERT_TRUE(index->add(entries, log_position{50}).ok());
        ASSERT_TRUE(index->add(entries, log_position{generation + 7}).ok());
        ASSERT_TRUE(index->add(std::span{entries}.first(2), log_position{generation + 8}).ok());
        ASSERT_TRUE(index->add(std::span{entries}.last(3), log_position{generation + 9}).ok());
    }
    const auto index = open_or_die(home.path());
    EXPECT_THAT(positions(*index, 1), ElementsAre(40, 20, 10));
    EXPECT_THAT(positions(*index, 1, from_ever, for_ever, 2), ElementsAre(40, 20));
    EXPECT_THAT(positions(*index, 2), ElementsAre(30));
    EXPECT_EQ(scanned(*index, 0, generation), (std::vector{entries[0], entries[1], entries[3], entries[2]}));
}

TEST(key_index, times_far_apart_fit_one_row) {
    const temporary_directory home;
    auto index = open_or_die(home.path());
    const std::vector entries{entry(1, 10, 5), entry(1, 20, from_ever.value()),
                              entry(1, 30, for_ever.value()), entry(1, 40, std::int64_t{1} << 40U)};
    ASSERT_TRUE(index->add(entries, log_position{50}).ok());
    EXPECT_THAT(positions(*index, 1), ElementsAre(40, 30, 20, 10));
    EXPECT_THAT(positions(*index, 1, for_ever, for_ever), ElementsAre(30));
    EXPECT_THAT(positions(*index, 1, from_ever, timestamp_ms{4}), ElementsAre(20));
    EXPECT_EQ(scanned(*index, 0, 50), entries);
}

TEST(key_index, a_row_of_the_wrong_size_is_named) {
    const temporary_directory home;
    {
        auto index = open_or_die(home.path());
        ASSERT_TRUE(index->add(std::vector{entry(1, 10)}, log_position{20}).ok());
    }
    put_raw(home.path(), std::string(6, '\0') + std::string(7, '\0') + '\x14', "no row");
    const auto index = open_or_die(home.path());
    EXPECT_EQ(index->indexed_until(), log_position{20});
    const auto found = index->find(1, from_ever, for_ever, all);
    ASSERT_FALSE(found.ok());
    EXPECT_EQ(found.failure().code, errc::corrupted);
    EXPECT_THAT(found.failure().message, HasSubstr("rebuilt"));
    const auto visited = index->scan(log_position{0}, log_position{20}, [](const key_entry&) {});
    ASSERT_FALSE(visited.ok());
    EXPECT_EQ(visited.failure().code, errc::corrupted);
    const auto other_bucket = std::uint64_t{1} << 63U;
    EXPECT_THAT(positions(*index, other_bucket), IsEmpty());
}

TEST(key_index, a_key_of_the_wrong_size_is_named) {
    const temporary_directory home;
    open_or_die(home.path());
    put_raw(home.path(), std::string(16, '\x01'), "a value");
    const auto index = open_or_die(home.path());
    EXPECT_FALSE(index->find(1, from_ever, for_ever, all).ok());
    EXPECT_FALSE(index->scan(log_position{0}, log_position{20}, [](const key_entry&) {}).ok());
}

// -- retention ----------------------------------------------------------------------------------------------

TEST(key_index, dropped_entries_are_hidden_at_once_to_the_byte) {
    const temporary_directory home;
    auto index = open_or_die(home.path());
    ASSERT_TRUE(index->add(std::vector{entry(1, 10), entry(1, 20), entry(1, 30)}, log_position{40}).ok());
    ASSERT_TRUE(index->drop_below(log_position{20}).ok());
    EXPECT_THAT(positions(*index, 1), ElementsAre(30, 20));
    ASSERT_TRUE(index->drop_below(log_position{10}).ok());
    EXPECT_THAT(positions(*index, 1), ElementsAre(30, 20));
    ASSERT_TRUE(index->drop_below(log_position{1000}).ok());
    EXPECT_THAT(positions(*index, 1), IsEmpty());
}

TEST(key_index, disk_space_stays_in_proportion_to_the_log_that_is_kept) {
    const temporary_directory home;
    auto index = open_or_die(home.path());
    std::mt19937_64 random{3};
    constexpr std::uint64_t bulks_per_generation = 4;
    constexpr std::uint64_t bulk_span = generation / bulks_per_generation;
    constexpr std::size_t bulk_size = 1000;
    constexpr std::uint64_t kept = 2 * generation;
    std::uintmax_t one_bulk = 0;
    std::uintmax_t largest = 0;
    for (std::uint64_t bulk = 0; bulk < 200; ++bulk) {
        std::vector<key_entry> entries;
        for (std::size_t i = 0; i < bulk_size; ++i)
            entries.push_back(entry(random(), bulk * bulk_span + i));
        const auto until = (bulk + 1) * bulk_span;
        ASSERT_TRUE(index->add(entries, log_position{until}).ok());
        if (until > kept) {
            ASSERT_TRUE(index->drop_below(log_position{until - kept}).ok());
        }
        largest = std::max(largest, bytes_in(home.path()));
        if (bulk == 0)
            one_bulk = largest;
    }
    // The log kept, one generation below it, 32 unmerged bulks, and as much again while a merge is under way.
    EXPECT_LT(largest, one_bulk * 2 * (bulks_per_generation * 3 + 32));
}

TEST(key_index, an_index_whose_marker_was_dropped_starts_over) {
    const temporary_directory home;
    {
        auto index = open_or_die(home.path());
        ASSERT_TRUE(index->add(std::vector{entry(1, 10)}, log_position{20}).ok());
        ASSERT_TRUE(index->drop_below(log_position{3 * generation}).ok());
    }
    auto index = open_or_die(home.path());
    EXPECT_EQ(index->indexed_until(), log_position{0});
    ASSERT_TRUE(index->drop_below(log_position{3 * generation}).ok());
    ASSERT_TRUE(index->add(std::vector{entry(1, 3 * generation + 1)}, log_position{3 * generation + 2}).ok());
    EXPECT_THAT(positions(*index, 1), ElementsAre(3 * generation + 1));
}

// -- against a model ----------------------------------------------------------------------------------------

// Few hashes, some of them neighbours, some sharing a bucket, over several generations; enough bulks for
// merges; some entries again in a later bulk; reopens in between.
class key_index_model : public ::testing::Test {
  protected:
    static constexpr std::array<std::uint64_t, 8> hashes{0,
                                                         1,
                                                         7,
                                                         std::uint64_t{1} << 54U,
                                                         (std::uint64_t{1} << 54U) + 1,
                                                         std::uint64_t{5} << 60U,
                                                         ~std::uint64_t{0} - 1,
                                                         ~std::uint64_t{0}};

    std::vector<key_entry> next_bulk(std::uint64_t span) {
        std::vector<key_entry> entries;
        for (int i = 0; i < 100; ++i) {
            const auto time = static_cast<std::int64_t>(random_() % 1000);
            const auto made = entry(hashes[random_() % hashes.size()], until_ + random_() % span, time);
            if (model_.emplace(std::pair{made.hash, made.position.value()}, time).second)
                entries.push_back(made);
        }
        for (const auto& [at, time] : model_)
            if (random_() % 50 == 0)
                entries.push_back(entry(at.first, at.second, time));
        return entries;
    }
    std::vector<std::uint64_t> expected(std::uint64_t hash, std::int64_t begin, std::int64_t end,
                                        std::size_t limit) const {
        std::vector<std::uint64_t> positions;
        for (auto each = model_.rbegin(); each != model_.rend() && positions.size() < limit; ++each)
            if (each->first.first == hash && each->first.second >= floor_ && each->second >= begin &&
                each->second <= end)
                positions.push_back(each->first.second);
        return positions;
    }
    // As scan gives them: generation by generation, by hash, by position.
    std::vector<key_entry> expected_between(std::uint64_t first, std::uint64_t last) const {
        std::vector<key_entry> entries;
        for (const auto& [at, time] : model_)
            if (at.second >= first && at.second < last)
                entries.push_back(entry(at.first, at.second, time));
        std::stable_sort(entries.begin(), entries.end(), [](const key_entry& left, const key_entry& right) {
            return left.position.value() / generation < right.position.value() / generation;
        });
        return entries;
    }

    std::mt19937_64 random_{99};
    std::map<std::pair<std::uint64_t, std::uint64_t>, std::int64_t> model_; // hash, position -> time
    std::uint64_t until_ = 0;
    std::uint64_t floor_ = 0;
};

TEST_F(key_index_model, behaves_like_a_sorted_set) {
    const temporary_directory home;
    auto index = open_or_die(home.path());
    for (int round = 0; round < 100; ++round) {
        const auto span = 1 + random_() % (generation / 2);
        const auto entries = next_bulk(span);
        until_ += span;
        ASSERT_TRUE(index->add(entries, log_position{until_}).ok());
        if (random_() % 8 == 0)
            floor_ = std::max(floor_, random_() % until_);
        if (random_() % 10 == 0) {
            index.reset();
            index = open_or_die(home.path());
            ASSERT_EQ(index->indexed_until(), log_position{until_});
        }
        ASSERT_TRUE(index->drop_below(log_position{floor_}).ok());
        for (const auto hash : {hashes[round % 8], hashes[(round + 1) % 8], std::uint64_t{1} << 40U}) {
            const auto begin = static_cast<std::int64_t>(random_() % 1000);
            const auto end = static_cast<std::int64_t>(random_() % 1000);
            const auto limit = random_() % 40;
            ASSERT_EQ(positions(*index, hash, timestamp_ms{begin}, timestamp_ms{end}, limit),
                      expected(hash, begin, end, limit))
                << "round " << round << ", hash " << hash;
            ASSERT_EQ(positions(*index, hash), expected(hash, 0, 1000, all));
        }
        const auto first = std::max(floor_, random_() % until_);
        const auto last = first + random_() % generation;
        ASSERT_EQ(scanned(*index, first, last), expected_between(first, last)) << "round " << round;
    }
}

// -- opening ------------------------------------------------------------------------------------------------

TEST(key_index, leftovers_of_a_bulk_that_was_being_written_are_removed) {
    const temporary_directory home;
    open_or_die(home.path());
    std::ofstream{home.path() / "incoming" / "0.sst"} << "half a table";
    auto index = open_or_die(home.path());
    EXPECT_TRUE(std::filesystem::is_empty(home.path() / "incoming"));
    ASSERT_TRUE(index->add(std::vector{entry(1, 10)}, log_position{20}).ok());
    EXPECT_THAT(positions(*index, 1), ElementsAre(10));
}

TEST(key_index, another_logs_index_an_older_formats_and_a_broken_one_are_refused) {
    const temporary_directory home;
    {
        auto index = open_or_die(home.path());
        ASSERT_TRUE(index->add(std::vector{entry(1, 10)}, log_position{20}).ok());
    }
    const auto other = key_index::open(home.path(), "another-log");
    ASSERT_FALSE(other.ok());
    EXPECT_EQ(other.failure().code, errc::invalid_argument);

    put_raw(home.path(), std::string(1, '\0'), encode_identity(key_index::format_version - 1, log_id));
    const auto older = key_index::open(home.path(), log_id);
    ASSERT_FALSE(older.ok());
    EXPECT_EQ(older.failure().code, errc::not_supported);
    EXPECT_THAT(older.failure().message, HasSubstr("rebuilt"));

    for (const auto& file : std::filesystem::directory_iterator(home.path())) {
        if (file.path().extension() == ".sst")
            std::filesystem::remove(file.path());
    }
    const auto broken = key_index::open(home.path(), log_id);
    ASSERT_FALSE(broken.ok());
    EXPECT_EQ(broken.failure().code, errc::corrupted);
    EXPECT_THAT(broken.failure().message, HasSubstr("rebuilt"));

    ASSERT_TRUE(key_index::destroy(home.path()).ok());
    EXPECT_EQ(open_or_die(home.path())->indexed_until(), log_position{0});
}

} // namespace
} // namespace holdfast::storage
