// A plain TCP socket for the load generator, and one frame at a time over it. What goes wrong ends the
// program with a message: a measurement with a hole is none.
#pragma once

#include "base/byte_buffer.hpp"
#include "bench/load_options.hpp"

#include <optional>
#include <string>
#include <vector>

namespace holdfast::bench {

[[noreturn]] void give_up(const std::string& why);
[[nodiscard]] std::uint64_t now_ns();  // steady
[[nodiscard]] std::uint64_t wall_ms(); // since 1970

class raw_socket {
  public:
    // Connected, TCP_NODELAY, blocking.
    raw_socket(const std::string& host, std::uint16_t port);
    // The same, or nothing when nobody listens there.
    static std::optional<raw_socket> try_connect(const std::string& host, std::uint16_t port);
    raw_socket(raw_socket&& other) noexcept;
    raw_socket& operator=(raw_socket&&) = delete;
    raw_socket(const raw_socket&) = delete;
    raw_socket& operator=(const raw_socket&) = delete;
    ~raw_socket();

    [[nodiscard]] int descriptor() const { return descriptor_; }
    void write_all(byte_view bytes);
    // The next frame; blocks until it is complete. Good until the next call.
    protocol::frame_view read_frame();

  private:
    explicit raw_socket(int descriptor) : descriptor_(descriptor) {}

    int descriptor_;
    std::vector<std::byte> received_ = std::vector<std::byte>(std::size_t{2} << 20U);
    std::size_t first_ = 0;
    std::size_t last_ = 0;
};

// Makes the topics of the measurement (request 17), many at a time.
void create_topics(const load_options& options);

} // namespace holdfast::bench
