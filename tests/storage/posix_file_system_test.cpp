#include "storage/posix_file_system.hpp"

#include "storage/log_scanner.hpp"
#include "storage/log_store.hpp"
#include "tests/storage/sample_log.hpp"
#include "tests/storage/temporary_directory.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <unistd.h>

namespace holdfast::storage {
namespace {

using ::testing::HasSubstr;

class posix_test : public ::testing::Test {
  protected:
    [[nodiscard]] path at(const std::string& name) const { return path{home_.path().string()} / name; }

    testing::temporary_directory home_;
    posix_file_system files_;
};

TEST_F(posix_test, files_do_what_the_seam_says) {
    ASSERT_TRUE(files_.create_directories(at("a/b/c")).ok());
    ASSERT_TRUE(files_.create_directories(at("a/b/c")).ok());
    auto made = files_.open(at("a/b/c/file"), open_mode::create);
    ASSERT_TRUE(made.ok()) << made.failure();
    EXPECT_EQ(files_.open(at("a/b/c/file"), open_mode::create).failure().code, errc::already_exists);
    ASSERT_TRUE((*made)->allocate(8192).ok());
    ASSERT_TRUE((*made)->write(100, as_bytes("hello")).ok());
    ASSERT_TRUE((*made)->sync_data().ok());
    std::vector<std::byte> read(10000);
    EXPECT_EQ(*(*made)->read(0, read), 8192U);
    EXPECT_EQ(as_text(byte_view{read}.subspan(100, 5)), "hello");
    EXPECT_EQ(*(*made)->read(9000, read), 0U);
    EXPECT_EQ(read_exactly(**made, 8000, std::span{read}.first(200)).failure().code, errc::corrupted);
    ASSERT_TRUE((*made)->truncate(50).ok());
    EXPECT_EQ(*(*made)->size(), 50U);
    ASSERT_TRUE(files_.rename(at("a/b/c/file"), at("a/b/c/other")).ok());
    ASSERT_TRUE(files_.sync_directory(at("a/b/c")).ok());
    const auto listed = files_.list(at("a/b/c"));
    ASSERT_EQ(listed->size(), 1U);
    EXPECT_EQ((*listed)[0].name, "other");
    EXPECT_EQ((*listed)[0].size, 50U);
    ASSERT_TRUE(files_.remove(at("a/b/c/other")).ok());
    EXPECT_EQ(files_.remove(at("a/b/c/other")).failure().code, errc::not_found);
    EXPECT_EQ(files_.list(at("none")).failure().code, errc::not_found);
    EXPECT_EQ(files_.open(at("none"), open_mode::read).failure().code, errc::not_found);
    EXPECT_THAT(files_.open(at("none"), open_mode::read).failure().message,
                HasSubstr(at("none").string() + ": open failed: No such file or directory (errno 2)"));
    EXPECT_GT(files_.space(at("a"))->total_bytes, files_.space(at("a"))->free_bytes);
}

TEST_F(posix_test, written_range_of_a_reserved_file_is_known) {
    auto made = files_.open(at("file"), open_mode::create);
    ASSERT_TRUE((*made)->allocate(1U << 20U).ok());
    ASSERT_TRUE((*made)->write(8192, std::vector<std::byte>(4096)).ok());
    ASSERT_TRUE((*made)->sync_data().ok());
    const auto found = (*made)->next_extent(0);
    ASSERT_TRUE(found.ok());
    // A file system that can't tell says [0, size).
    EXPECT_TRUE((found->first == 8192 && found->last == 12288) ||
                (found->first == 0 && found->last == 1U << 20U));
    const auto after = (*made)->next_extent(500000);
    EXPECT_EQ(after->last, 1U << 20U);
}

TEST_F(posix_test, second_lock_is_refused_and_names_the_first) {
    auto held = files_.lock(home_.path().string());
    ASSERT_TRUE(held.ok());
    const auto second = files_.lock(home_.path().string());
    ASSERT_FALSE(second.ok());
    EXPECT_EQ(second.failure().code, errc::unavailable);
    EXPECT_THAT(second.failure().message, HasSubstr("in use by process " + std::to_string(::getpid())));
    held->reset();
    EXPECT_TRUE(files_.lock(home_.path().string()).ok());
}

TEST_F(posix_test, small_file_is_replaced) {
    ASSERT_TRUE(replace_file(files_, at("state"), as_bytes("one")).ok());
    ASSERT_TRUE(replace_file(files_, at("state"), as_bytes("second")).ok());
    EXPECT_EQ(as_text(*read_file(files_, at("state"), 100)), "second");
    EXPECT_EQ(read_file(files_, at("state"), 3).failure().code, errc::too_large);
    EXPECT_EQ(files_.list(home_.path().string())->size(), 1U);
}

// The writer overtakes the prewriter again and again; not one byte of the log may be a zero of the prewriter.
class prewriter_race_test : public posix_test, public ::testing::WithParamInterface<write_mode> {};

TEST_P(prewriter_race_test, zeros_never_land_on_the_log) {
    for (std::uint64_t seed = 1; seed <= 6; ++seed) {
        std::mt19937_64 random{seed};
        log_options options;
        options.recovery.segments = {1U << 20U, GetParam()};
        options.prewriting = {4096U << random() % 7, 64U << (10 + random() % 5)};
        auto opened = log_store::open(files_, at("store" + std::to_string(seed)), options);
        ASSERT_TRUE(opened.ok()) << opened.failure();
        auto& log = **opened;
        testing::sample_log sample;
        sample.continue_at(log.recovered());
        log.start_prewriting();
        while (sample.next().value() < 3U << 20U) {
            std::vector<shared_bytes> batch;
            const auto first = log.writer().written_until();
            const auto largest = random() % 4 == 0 ? 200'000U : 3000U;
            for (auto& one : sample.make(random() % largest, first, random()))
                batch.push_back(one);
            ASSERT_TRUE(log.writer().write(batch, first).ok());
            ASSERT_TRUE(log.writer().flush().ok());
        }
        EXPECT_FALSE(log.prewriting_failure().has_value());
        std::size_t index = 0;
        log_scanner scanner{log.segments(), {}, log.writer().written_until()};
        for (auto found = scanner.next(); found && found->has_value(); found = scanner.next(), ++index)
            ASSERT_TRUE(std::ranges::equal((*found)->bytes, sample.entries()[index].bytes.view()));
        EXPECT_EQ(index, sample.entries().size()) << "seed " << seed;
        opened = error{};
        const auto again =
            recover(files_, at("store" + std::to_string(seed)) / "commitlog", options.recovery);
        ASSERT_TRUE(again.ok()) << again.failure();
        EXPECT_EQ(again->end, sample.next());
        EXPECT_FALSE(again->cut.has_value());
    }
}

INSTANTIATE_TEST_SUITE_P(modes, prewriter_race_test,
                         ::testing::Values(write_mode::buffered, write_mode::direct), [](const auto& mode) {
                             return mode.param == write_mode::direct ? "direct" : "buffered";
                         });

} // namespace
} // namespace holdfast::storage
