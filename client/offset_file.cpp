#include "client/offset_file.hpp"

#include "base/bytes.hpp"
#include "base/checksum.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <sstream>
#include <string>
#include <sys/file.h>
#include <unistd.h>
#include <utility>

namespace holdfast::client {

namespace {

error failed(const char* what, const std::filesystem::path& path) {
    return {errc::io_failed,
            std::string{"can't "} + what + " " + path.string() + ": " + std::strerror(errno)};
}

class file_handle {
  public:
    explicit file_handle(int descriptor) : descriptor_(descriptor) {}
    ~file_handle() {
        if (descriptor_ >= 0)
            ::close(descriptor_);
    }
    file_handle(const file_handle&) = delete;
    file_handle& operator=(const file_handle&) = delete;
    [[nodiscard]] int operator*() const { return descriptor_; }

  private:
    int descriptor_;
};

result<void> write_all(int descriptor, std::string_view text, const std::filesystem::path& path) {
    while (!text.empty()) {
        const ssize_t written = ::write(descriptor, text.data(), text.size());
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return failed("write", path);
        text.remove_prefix(static_cast<std::size_t>(written));
    }
    return {};
}

std::string encode(const offset_file::offsets& all) {
    std::ostringstream out;
    for (const auto& [queue, offset] : all)
        out << offset << ' ' << queue.queue << ' ' << queue.broker_name << ' ' << queue.topic << '\n';
    std::string text = out.str();
    text += "crc32c " + std::to_string(crc32c(as_bytes(text))) + "\n";
    return text;
}

result<offset_file::offsets> decode(const std::string& text, const std::filesystem::path& path) {
    const error damaged{errc::corrupted,
                        "the offset file " + path.string() +
                            " is damaged; restore it, or delete it to start without offsets"};
    const auto seal = text.rfind("crc32c ");
    if (seal == std::string::npos || (seal != 0 && text[seal - 1] != '\n'))
        return damaged;
    const std::string body = text.substr(0, seal);
    if (text.substr(seal) != "crc32c " + std::to_string(crc32c(as_bytes(body))) + "\n")
        return damaged;
    offset_file::offsets all;
    std::istringstream lines{body};
    std::int64_t offset = 0;
    std::uint32_t queue = 0;
    std::string broker;
    std::string topic;
    while (lines >> offset >> queue >> broker >> topic)
        all[{topic, broker, queue_number{queue}}] = queue_offset{offset};
    if (!lines.eof())
        return damaged;
    return all;
}

} // namespace

result<offset_file> offset_file::open(const std::filesystem::path& directory, std::string_view group) {
    if (directory.empty())
        return error{errc::invalid_argument,
                     "broadcasting needs a directory for its offsets: set offset_directory"};
    std::error_code failure;
    std::filesystem::create_directories(directory, failure);
    if (failure)
        return error{errc::io_failed, "can't create " + directory.string() + ": " + failure.message()};
    const auto lock_path = directory / "lock";
    const int lock = ::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (lock < 0)
        return failed("open", lock_path);
    offset_file file{directory, directory / (std::string{group} + ".offsets"), lock};
    if (::flock(lock, LOCK_EX | LOCK_NB) != 0)
        return error{errc::unavailable, "the offset directory " + directory.string() +
                                            " is in use by another consumer; give each its own"};
    if (std::filesystem::exists(file.path_)) {
        std::ifstream in{file.path_, std::ios::binary};
        std::ostringstream text;
        text << in.rdbuf();
        if (!in)
            return failed("read", file.path_);
        auto offsets = decode(text.str(), file.path_);
        if (!offsets)
            return offsets.failure();
        file.loaded_ = std::move(*offsets);
    }
    return file;
}

offset_file::offset_file(offset_file&& other) noexcept
    : directory_(std::move(other.directory_)),
      path_(std::move(other.path_)),
      lock_(std::exchange(other.lock_, -1)),
      loaded_(std::move(other.loaded_)) {}

offset_file::~offset_file() {
    if (lock_ >= 0)
        ::close(lock_);
}

result<void> offset_file::save(const offsets& all) const {
    auto fresh = path_;
    fresh += ".new";
    {
        const file_handle out{::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644)};
        if (*out < 0)
            return failed("create", fresh);
        if (auto written = write_all(*out, encode(all), fresh); !written)
            return written;
        if (::fsync(*out) != 0)
            return failed("flush", fresh);
    }
    if (::rename(fresh.c_str(), path_.c_str()) != 0)
        return failed("replace", path_);
    const file_handle parent{::open(directory_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (*parent < 0 || ::fsync(*parent) != 0)
        return failed("flush", directory_);
    return {};
}

} // namespace holdfast::client
