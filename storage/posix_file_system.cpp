#include "storage/posix_file_system.hpp"

#include <boost/filesystem.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace holdfast::storage {

namespace {

errc kind_of(int code) {
    switch (code) {
    case ENOENT:
        return errc::not_found;
    case EEXIST:
        return errc::already_exists;
    case EACCES:
    case EPERM:
    case EROFS:
        return errc::permission_denied;
    case ENOSPC:
    case EDQUOT:
        return errc::unavailable;
    default:
        return errc::io_failed;
    }
}

error failed(const path& name, std::string_view operation, int code) {
    return {kind_of(code), name.string() + ": " + std::string{operation} +
                               " failed: " + std::generic_category().message(code) + " (errno " +
                               std::to_string(code) + ")"};
}

std::string at(std::string_view operation, std::size_t count, std::uint64_t offset) {
    return std::string{operation} + " of " + std::to_string(count) + " bytes at " + std::to_string(offset);
}

class descriptor {
  public:
    explicit descriptor(int number) : number_(number) {}
    descriptor(descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
    descriptor(const descriptor&) = delete;
    descriptor& operator=(const descriptor&) = delete;
    descriptor& operator=(descriptor&&) = delete;
    ~descriptor() {
        if (number_ >= 0)
            ::close(number_);
    }
    [[nodiscard]] int number() const { return number_; }

  private:
    int number_;
};

template <class Call>
auto retried(Call call) {
    auto outcome = call();
    while (outcome < 0 && errno == EINTR)
        outcome = call();
    return outcome;
}

class posix_file final : public file {
  public:
    posix_file(path name, descriptor opened) : name_(std::move(name)), opened_(std::move(opened)) {}

    result<std::size_t> read(std::uint64_t offset, std::span<std::byte> into) const override {
        std::size_t done = 0;
        while (done < into.size()) {
            const auto count = retried([&] {
                return ::pread(opened_.number(), into.data() + done, into.size() - done,
                               static_cast<off_t>(offset + done));
            });
            if (count < 0)
                return failed(name_, at("read", into.size(), offset), errno);
            if (count == 0)
                break;
            done += static_cast<std::size_t>(count);
        }
        return done;
    }

    result<void> write(std::uint64_t offset, byte_view bytes) override {
        std::size_t done = 0;
        while (done < bytes.size()) {
            const auto count = retried([&] {
                return ::pwrite(opened_.number(), bytes.data() + done, bytes.size() - done,
                                static_cast<off_t>(offset + done));
            });
            if (count <= 0)
                return failed(name_, at("write", bytes.size(), offset), count < 0 ? errno : EIO);
            done += static_cast<std::size_t>(count);
        }
        return {};
    }

    result<void> sync_data() override {
        // Not retried on any error: the kernel may have dropped the pages it could not write.
        if (::fdatasync(opened_.number()) != 0)
            return failed(name_, "fdatasync", errno);
        return {};
    }

    result<std::uint64_t> size() const override {
        struct stat status {};
        if (::fstat(opened_.number(), &status) != 0)
            return failed(name_, "fstat", errno);
        return static_cast<std::uint64_t>(status.st_size);
    }

    result<void> allocate(std::uint64_t size) override {
        int code = EINTR;
        while (code == EINTR)
            code = ::posix_fallocate(opened_.number(), 0, static_cast<off_t>(size));
        if (code != 0)
            return failed(name_, "reserving " + std::to_string(size) + " bytes", code);
        return {};
    }

    result<void> truncate(std::uint64_t size) override {
        if (retried([&] { return ::ftruncate(opened_.number(), static_cast<off_t>(size)); }) != 0)
            return failed(name_, "truncate to " + std::to_string(size) + " bytes", errno);
        return {};
    }

    result<file_extent> next_extent(std::uint64_t offset) const override {
        const auto end = size();
        if (!end)
            return end.failure();
        const auto first = ::lseek(opened_.number(), static_cast<off_t>(offset), SEEK_DATA);
        if (first < 0 && errno == ENXIO)
            return file_extent{*end, *end};
        if (first < 0)
            return file_extent{std::min(offset, *end), *end};
        const auto last = ::lseek(opened_.number(), first, SEEK_HOLE);
        return file_extent{static_cast<std::uint64_t>(first),
                           last < 0 ? *end : static_cast<std::uint64_t>(last)};
    }

    void will_need(std::uint64_t offset, std::uint64_t size) const override {
        ::posix_fadvise(opened_.number(), static_cast<off_t>(offset), static_cast<off_t>(size),
                        POSIX_FADV_WILLNEED);
    }

    [[nodiscard]] const path& name() const override { return name_; }

  private:
    path name_;
    descriptor opened_;
};

class posix_lock final : public directory_lock {
  public:
    explicit posix_lock(descriptor opened) : opened_(std::move(opened)) {}

  private:
    descriptor opened_;
};

int flags_of(open_mode mode) {
    switch (mode) {
    case open_mode::read:
        return O_RDONLY;
    case open_mode::read_write:
        return O_RDWR;
    case open_mode::create:
        return O_RDWR | O_CREAT | O_EXCL;
    case open_mode::replace:
        return O_RDWR | O_CREAT | O_TRUNC;
    }
    HOLDFAST_CHECK(false && "unknown open_mode");
    return 0;
}

int open_descriptor(const path& name, int flags) {
    return retried([&] { return ::open(name.c_str(), flags | O_CLOEXEC, 0644); });
}

std::string owner_of(int lock_file) {
    std::array<char, 32> text{};
    const auto count = ::pread(lock_file, text.data(), text.size(), 0);
    long pid = 0;
    if (count <= 0 || std::from_chars(text.data(), text.data() + count, pid).ec != std::errc{})
        return "another process";
    return "process " + std::to_string(pid);
}

path parent_of(const path& name) {
    const auto parent = name.parent_path();
    return parent.empty() ? path{"."} : parent;
}

} // namespace

result<std::unique_ptr<file>> posix_file_system::open(const path& name, open_mode mode, write_mode writes) {
    const int flags = flags_of(mode);
    int number = -1;
    if (writes == write_mode::direct) {
        number = open_descriptor(name, flags | O_DIRECT | O_DSYNC);
        // A file system without O_DIRECT, tmpfs for one: still durable when write returns.
        if (number < 0 && errno == EINVAL)
            number = open_descriptor(name, flags | O_DSYNC);
    } else {
        number = open_descriptor(name, flags);
    }
    if (number < 0)
        return failed(name, "open", errno);
    return std::unique_ptr<file>{std::make_unique<posix_file>(name, descriptor{number})};
}

result<void> posix_file_system::rename(const path& from, const path& to) {
    boost::system::error_code code;
    boost::filesystem::rename(from, to, code);
    if (code)
        return failed(from, "rename to " + to.string(), code.value());
    return {};
}

result<void> posix_file_system::remove(const path& name) {
    boost::system::error_code code;
    const bool removed = boost::filesystem::remove(name, code);
    if (code)
        return failed(name, "remove", code.value());
    if (!removed)
        return failed(name, "remove", ENOENT);
    return {};
}

result<std::vector<file_entry>> posix_file_system::list(const path& directory) {
    boost::system::error_code code;
    boost::filesystem::directory_iterator entries{directory, code};
    if (code)
        return failed(directory, "listing", code.value());
    std::vector<file_entry> found;
    for (const boost::filesystem::directory_iterator end; entries != end; entries.increment(code)) {
        file_entry one;
        one.name = entries->path().filename().string();
        one.is_directory = boost::filesystem::is_directory(entries->path(), code);
        if (!code && !one.is_directory)
            one.size = boost::filesystem::file_size(entries->path(), code);
        // Gone since it was listed, or not a plain file: nothing of ours.
        if (!code)
            found.push_back(std::move(one));
        code.clear();
    }
    if (code)
        return failed(directory, "listing", code.value());
    std::ranges::sort(found, {}, &file_entry::name);
    return found;
}

result<void> posix_file_system::create_directories(const path& directory) {
    std::vector<path> missing;
    boost::system::error_code code;
    for (path one = directory; !one.empty() && !boost::filesystem::exists(one, code); one = one.parent_path())
        missing.push_back(one);
    if (missing.empty() && !boost::filesystem::is_directory(directory, code))
        return error{errc::already_exists, directory.string() + ": exists and is not a directory"};
    for (auto one = missing.rbegin(); one != missing.rend(); ++one) {
        boost::filesystem::create_directory(*one, code);
        if (code)
            return failed(*one, "creating the directory", code.value());
        if (auto synced = sync_directory(parent_of(*one)); !synced)
            return synced;
    }
    return {};
}

result<void> posix_file_system::sync_directory(const path& directory) {
    const descriptor opened{open_descriptor(directory, O_RDONLY | O_DIRECTORY)};
    if (opened.number() < 0)
        return failed(directory, "open", errno);
    if (::fsync(opened.number()) != 0)
        return failed(directory, "fsync", errno);
    return {};
}

result<disk_space> posix_file_system::space(const path& directory) {
    boost::system::error_code code;
    const auto found = boost::filesystem::space(directory, code);
    if (code)
        return failed(directory, "asking for free space", code.value());
    return disk_space{found.available, found.capacity};
}

result<std::unique_ptr<directory_lock>> posix_file_system::lock(const path& directory) {
    const path name = directory / "lock";
    descriptor opened{open_descriptor(name, O_RDWR | O_CREAT)};
    if (opened.number() < 0)
        return failed(name, "open", errno);
    if (retried([&] { return ::flock(opened.number(), LOCK_EX | LOCK_NB); }) != 0) {
        if (errno != EWOULDBLOCK)
            return failed(name, "lock", errno);
        return error{errc::unavailable, directory.string() + ": in use by " + owner_of(opened.number()) +
                                            "; stop it first, or choose another storePathRootDir"};
    }
    const auto pid = std::to_string(::getpid()) + "\n";
    // Only told to people; the lock holds without.
    if (::ftruncate(opened.number(), 0) == 0) [[maybe_unused]]
        const auto written = ::pwrite(opened.number(), pid.data(), pid.size(), 0);
    return std::unique_ptr<directory_lock>{std::make_unique<posix_lock>(std::move(opened))};
}

} // namespace holdfast::storage
