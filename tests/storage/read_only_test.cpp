// What an audit reads: the derived store, the key index and the log of a node that runs, without their locks
// and without changing a byte.
#include "storage/derived_store.hpp"
#include "storage/key_index.hpp"
#include "storage/posix_file_system.hpp"
#include "storage/segment_set.hpp"
#include "tests/storage/temporary_directory.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

namespace holdfast::storage {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::temporary_directory;

constexpr std::string_view log_id = "8c6d2f0e-55a1-4b0e-9d0b-3f1f1c9f7a11";
constexpr std::string_view other_id = "00000000-55a1-4b0e-9d0b-3f1f1c9f7a11";

derived_batch one_key(std::string_view key, std::string_view value) {
    derived_batch batch;
    batch.put(key, value);
    return batch;
}

// Flips a bit in the middle of the first table.
void damage_a_table(const std::filesystem::path& directory) {
    for (const auto& file : std::filesystem::directory_iterator(directory)) {
        if (file.path().extension() != ".sst")
            continue;
        std::fstream stream{file.path(), std::ios::in | std::ios::out | std::ios::binary};
        const auto middle = static_cast<std::streamoff>(std::filesystem::file_size(file.path()) / 4);
        stream.seekg(middle);
        const auto byte = static_cast<char>(stream.get() ^ 0x04);
        stream.seekp(middle);
        stream.put(byte);
        return;
    }
    FAIL() << "no table in " << directory;
}

TEST(read_only_derived_store, shows_the_last_flush_beside_a_writer) {
    const temporary_directory home;
    auto writer = derived_store::open(home.path(), log_id);
    ASSERT_TRUE(writer.ok());
    ASSERT_TRUE((*writer)->write(one_key("a", "1"), log_position{64}).ok());
    ASSERT_TRUE((*writer)->flush().ok());
    ASSERT_TRUE((*writer)->write(one_key("a", "2"), log_position{128}).ok());
    const auto reading = derived_store::open_read_only(home.path(), log_id);
    ASSERT_TRUE(reading.ok()) << reading.failure();
    EXPECT_EQ((*reading)->applied(), log_position{64});
    EXPECT_EQ(*(*reading)->find("a"), std::optional<std::string>{"1"});
    EXPECT_TRUE((*reading)->verify().ok());
    EXPECT_FALSE((*reading)->write(one_key("a", "3"), log_position{256}).ok());
    // What the writer does later takes nothing away from it.
    ASSERT_TRUE((*writer)->flush().ok());
    EXPECT_EQ(*(*reading)->find("a"), std::optional<std::string>{"1"});
}

TEST(read_only_derived_store, is_not_made_where_there_is_none_and_not_taken_for_another_logs) {
    const temporary_directory home;
    const auto missing = derived_store::open_read_only(home.path() / "derived", log_id);
    ASSERT_FALSE(missing.ok());
    EXPECT_EQ(missing.failure().code, errc::not_found);
    EXPECT_FALSE(std::filesystem::exists(home.path() / "derived"));
    ASSERT_TRUE(derived_store::open(home.path(), other_id).ok());
    const auto foreign = derived_store::open_read_only(home.path(), log_id);
    ASSERT_FALSE(foreign.ok());
    EXPECT_EQ(foreign.failure().code, errc::invalid_argument);
}

TEST(read_only_derived_store, verifying_names_the_damaged_table) {
    const temporary_directory home;
    {
        auto writer = derived_store::open(home.path(), log_id);
        ASSERT_TRUE(writer.ok());
        derived_batch batch;
        for (int i = 0; i < 2000; ++i)
            batch.put(std::string{"key"}.append(std::to_string(i)), std::to_string(i * 7919));
        ASSERT_TRUE((*writer)->write(std::move(batch), log_position{64}).ok());
        ASSERT_TRUE((*writer)->flush().ok());
        EXPECT_TRUE((*writer)->verify().ok());
    }
    damage_a_table(home.path());
    const auto reading = derived_store::open_read_only(home.path(), log_id);
    const auto verified = reading.ok() ? (*reading)->verify() : result<void>{reading.failure()};
    ASSERT_FALSE(verified.ok());
    EXPECT_EQ(verified.failure().code, errc::corrupted);
    EXPECT_THAT(verified.failure().message, HasSubstr(".sst"));
}

TEST(read_only_key_index, scans_entries_in_a_range_beside_a_writer) {
    const temporary_directory home;
    auto writer = key_index::open(home.path(), log_id);
    ASSERT_TRUE(writer.ok());
    const std::uint64_t generation = std::uint64_t{1} << key_index::generation_bits;
    const std::vector<key_entry> entries{{7, log_position{100}, timestamp_ms{1}},
                                         {3, log_position{200}, timestamp_ms{2}},
                                         {1, log_position{generation + 64}, timestamp_ms{3}},
                                         {0, log_position{0}, timestamp_ms{4}}};
    ASSERT_TRUE((*writer)->add(entries, log_position{generation + 100}).ok());
    const auto reading = key_index::open_read_only(home.path(), log_id);
    ASSERT_TRUE(reading.ok()) << reading.failure();
    EXPECT_EQ((*reading)->indexed_until(), log_position{generation + 100});
    std::vector<key_entry> seen;
    const auto gather = [&](const key_entry& entry) { seen.push_back(entry); };
    ASSERT_TRUE((*reading)->scan(log_position{0}, log_position{generation + 100}, gather).ok());
    EXPECT_THAT(seen, ElementsAre(entries[3], entries[1], entries[0], entries[2]));
    seen.clear();
    ASSERT_TRUE((*reading)->scan(log_position{150}, log_position{generation + 64}, gather).ok());
    EXPECT_THAT(seen, ElementsAre(entries[1]));
    EXPECT_TRUE((*reading)->verify().ok());
    EXPECT_EQ((*reading)->find(7, timestamp_ms{0}, timestamp_ms{9}, 1)->size(), 1U);
}

TEST(read_only_key_index, is_not_made_and_damage_is_named) {
    const temporary_directory home;
    const auto missing = key_index::open_read_only(home.path() / "keys", log_id);
    ASSERT_FALSE(missing.ok());
    EXPECT_EQ(missing.failure().code, errc::not_found);
    std::vector<key_entry> entries;
    for (std::uint64_t i = 0; i < 2000; ++i)
        entries.push_back({i * 0x9E3779B97F4A7C15ULL, log_position{i * 64}, timestamp_ms{0}});
    {
        auto writer = key_index::open(home.path(), log_id);
        ASSERT_TRUE(writer.ok());
        ASSERT_TRUE((*writer)->add(entries, log_position{2000 * 64}).ok());
    }
    EXPECT_FALSE(key_index::open_read_only(home.path(), other_id).ok());
    // The larger of the two tables is that of the keys.
    std::filesystem::path largest;
    for (const auto& file : std::filesystem::directory_iterator(home.path()))
        if (file.path().extension() == ".sst" && (largest.empty() || std::filesystem::file_size(file.path()) >
                                                                         std::filesystem::file_size(largest)))
            largest = file.path();
    {
        std::fstream stream{largest, std::ios::in | std::ios::out | std::ios::binary};
        stream.seekp(static_cast<std::streamoff>(std::filesystem::file_size(largest) / 4));
        stream.write("\xFF\x00\xFF\x00", 4);
    }
    const auto reading = key_index::open_read_only(home.path(), log_id);
    const auto verified = reading.ok() ? (*reading)->verify() : result<void>{reading.failure()};
    ASSERT_FALSE(verified.ok());
    EXPECT_THAT(verified.failure().message, HasSubstr(largest.filename().string()));
}

class read_only_segments : public ::testing::Test {
  protected:
    void make(std::uint64_t first, std::uint64_t size) {
        std::filesystem::create_directories(home_.path());
        const auto name = home_.path() / segment_file_name(log_position{first});
        std::ofstream{name, std::ios::binary};
        std::filesystem::resize_file(name, size);
    }
    result<std::unique_ptr<segment_set>> open() {
        return segment_set::open_read_only(files_, path{home_.path().native()});
    }
    temporary_directory home_;
    posix_file_system files_;
};

TEST_F(read_only_segments, open_and_stay_readable_when_they_are_removed) {
    make(8192, 4096);
    make(12288, 100); // cut short by a crash: a start would make it whole
    const auto opened = open();
    ASSERT_TRUE(opened.ok()) << opened.failure();
    EXPECT_EQ((*opened)->first(), log_position{8192});
    EXPECT_EQ((*opened)->allocated_until(), log_position{12388});
    EXPECT_EQ(std::filesystem::file_size(home_.path() / segment_file_name(log_position{12288})), 100U);
    std::filesystem::remove(home_.path() / segment_file_name(log_position{8192}));
    std::vector<std::byte> bytes(4096);
    const auto read = (*opened)->find(log_position{8192})->read(log_position{8192}, bytes);
    ASSERT_TRUE(read.ok());
    EXPECT_EQ(*read, 4096U);
}

TEST_F(read_only_segments, pass_over_a_file_that_is_just_being_made) {
    make(0, 4096);
    make(4096, 0);
    const auto opened = open();
    ASSERT_TRUE(opened.ok()) << opened.failure();
    EXPECT_EQ((*opened)->list().size(), 1U);
}

TEST_F(read_only_segments, a_gap_is_told) {
    make(0, 4096);
    make(8192, 4096);
    const auto opened = open();
    ASSERT_FALSE(opened.ok());
    EXPECT_EQ(opened.failure().code, errc::corrupted);
    EXPECT_THAT(opened.failure().message, HasSubstr("next segment begins at 8192"));
}

TEST_F(read_only_segments, no_directory_is_not_made) {
    const auto missing = segment_set::open_read_only(files_, path{(home_.path() / "no").native()});
    ASSERT_FALSE(missing.ok());
    EXPECT_EQ(missing.failure().code, errc::not_found);
}

} // namespace
} // namespace holdfast::storage
