#include "storage/prewriter.hpp"

#include "tests/storage/simulated_disk.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <thread>

namespace holdfast::storage {
namespace {

constexpr std::uint64_t segment_size = 1U << 20U;

// Calls `before_write` with the bytes of every write.
class watched_file final : public file {
  public:
    using watcher = std::function<void(byte_view)>;
    watched_file(std::unique_ptr<file> real, const watcher& before_write)
        : real_(std::move(real)), before_write_(before_write) {}

    result<std::size_t> read(std::uint64_t offset, std::span<std::byte> into) const override {
        return real_->read(offset, into);
    }
    result<void> write(std::uint64_t offset, byte_view bytes) override {
        before_write_(bytes);
        return real_->write(offset, bytes);
    }
    result<void> sync_data() override { return real_->sync_data(); }
    result<std::uint64_t> size() const override { return real_->size(); }
    result<void> allocate(std::uint64_t size) override { return real_->allocate(size); }
    result<void> truncate(std::uint64_t size) override { return real_->truncate(size); }
    result<file_extent> next_extent(std::uint64_t offset) const override {
        return real_->next_extent(offset);
    }
    [[nodiscard]] const path& name() const override { return real_->name(); }

  private:
    std::unique_ptr<file> real_;
    const watcher& before_write_;
};

class watched_disk final : public file_system {
  public:
    watched_file::watcher before_write = [](byte_view) {};

    result<std::unique_ptr<file>> open(const path& name, open_mode mode, write_mode writes) override {
        auto real = disk_.open(name, mode, writes);
        if (!real)
            return real;
        return std::unique_ptr<file>{std::make_unique<watched_file>(*std::move(real), before_write)};
    }
    result<void> rename(const path& from, const path& to) override { return disk_.rename(from, to); }
    result<void> remove(const path& name) override { return disk_.remove(name); }
    result<std::vector<file_entry>> list(const path& directory) override { return disk_.list(directory); }
    result<void> create_directories(const path& name) override { return disk_.create_directories(name); }
    result<void> sync_directory(const path& directory) override { return disk_.sync_directory(directory); }
    result<disk_space> space(const path& directory) override { return disk_.space(directory); }
    result<std::unique_ptr<directory_lock>> lock(const path& directory) override {
        return disk_.lock(directory);
    }

    simulated_disk disk_{{}};
};

std::unique_ptr<segment_set> open_segments(file_system& files) {
    auto opened = segment_set::open(files, "/store/commitlog", {segment_size, write_mode::buffered});
    HOLDFAST_CHECK(opened.ok());
    return *std::move(opened);
}

// The prewriter is in the midst of zeroing a block when the writer comes for it. Were the writer not made to
// wait, its bytes would arrive first and be zeroed.
TEST(prewriter, zeroing_in_progress_does_not_hit_the_writer) {
    watched_disk disk;
    const auto segments = open_segments(disk);
    const auto target = *segments->find_or_create({});
    std::mutex mutex;
    std::condition_variable changed;
    bool zeroing = false;
    bool data_came = false;
    disk.before_write = [&](byte_view bytes) {
        std::unique_lock guard{mutex};
        if (bytes.front() != std::byte{}) {
            data_came = true;
            changed.notify_all();
            return;
        }
        zeroing = true;
        changed.notify_all();
        // A writer that waits, as it should, can't be seen from here: give a wrong one time to come.
        changed.wait_for(guard, std::chrono::milliseconds{100}, [&] { return data_came; });
    };
    std::thread prewriting{[&] { EXPECT_EQ(*target->prewrite(65536, log_position{65536}), 65536U); }};
    {
        std::unique_lock guard{mutex};
        changed.wait(guard, [&] { return zeroing; });
    }
    const std::vector<std::byte> data(8192, std::byte{7});
    EXPECT_TRUE(target->write(log_position{4096}, data).ok());
    prewriting.join();
    const auto content = disk.disk_.content(target->name());
    EXPECT_TRUE(std::ranges::equal(byte_view{content}.subspan(4096, 8192), data));
    disk.before_write = [](byte_view) {};
    EXPECT_EQ(*target->prewrite(segment_size, log_position{segment_size}), segment_size - 65536);
    EXPECT_EQ(*target->prewrite(segment_size, log_position{segment_size}), 0U);
}

TEST(prewriter, never_zeroes_what_was_written_before_it_came) {
    simulated_disk disk{{}};
    const auto segments = open_segments(disk);
    const auto target = *segments->find_or_create({});
    const std::vector<std::byte> data(8192, std::byte{7});
    ASSERT_TRUE(target->write(log_position{65536}, data).ok());
    EXPECT_EQ(target->prewritten_until(), log_position{65536 + 8192});
    EXPECT_EQ(*target->prewrite(4096, log_position{segment_size}), 4096U);
    const auto content = disk.content(target->name());
    EXPECT_TRUE(std::ranges::equal(byte_view{content}.subspan(65536, 8192), data));
}

void wait_for(const std::function<bool()>& happened) {
    while (!happened())
        std::this_thread::yield();
}

TEST(prewriter, makes_the_first_and_the_next_segment_and_stays_within_its_bound) {
    simulated_disk disk{{}};
    const auto segments = open_segments(disk);
    const prewriter background{*segments, {65536, segment_size + 131072}};
    wait_for([&] {
        const auto following = segments->find(log_position{segment_size});
        return following && following->prewritten_until() == log_position{segment_size + 131072};
    });
    EXPECT_EQ(segments->find({})->prewritten_until(), log_position{segment_size});
    EXPECT_EQ(segments->allocated_until(), log_position{2 * segment_size});
    segments->set_written(log_position{segment_size});
    wait_for([&] { return segments->allocated_until() == log_position{3 * segment_size}; });
    EXPECT_FALSE(background.failure().has_value());
}

TEST(prewriter, full_disk_is_told_and_tried_again_when_room_comes) {
    simulated_disk disk{{}};
    const auto segments = open_segments(disk);
    disk.set_capacity(segment_size);
    const prewriter background{*segments, {65536, 2 * segment_size}};
    wait_for([&] { return background.failure().has_value(); });
    EXPECT_EQ(background.failure()->code, errc::unavailable);
    EXPECT_EQ(segments->find({})->prewritten_until(), log_position{segment_size});
    disk.set_capacity(UINT64_MAX);
    segments->wake();
    wait_for([&] { return segments->allocated_until() == log_position{2 * segment_size}; });
}

} // namespace
} // namespace holdfast::storage
