// The real binary as a child process, for tests that kill it.
//
// Owns the process: it is reaped by its pid when the object ends, whatever the test did, and it dies with the
// test's process too. Start it from the main thread (Linux ends a child with the thread that made it). Ports
// are free ones unless the arguments say otherwise; the ready line tells them.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <sys/types.h>

namespace holdfast::testing {

// A directory of its own for one test, gone afterwards.
class temporary_directory {
  public:
    temporary_directory();
    temporary_directory(const temporary_directory&) = delete;
    temporary_directory& operator=(const temporary_directory&) = delete;
    ~temporary_directory();
    [[nodiscard]] const std::filesystem::path& path() const { return path_; }

  private:
    std::filesystem::path path_;
};

struct broker_options {
    std::filesystem::path data;         // storePathRootDir
    std::vector<std::string> settings;  // more of "--key=value", each key once
    std::vector<std::string> command{}; // words before the binary, such as strace's
    std::chrono::milliseconds start_timeout{20'000};
};

class broker_process {
  public:
    // Starts `holdfast serve` and waits for its ready line, or for its end, or for the timeout: see ready().
    explicit broker_process(const broker_options& options);
    broker_process(const broker_process&) = delete;
    broker_process& operator=(const broker_process&) = delete;
    // kill -9 when it still runs.
    ~broker_process();

    // It said so; false: it ended before (see exit_status()), or was too slow.
    [[nodiscard]] bool ready() const { return broker_port_ != 0; }
    [[nodiscard]] std::string name_servers() const; // "127.0.0.1:port"
    [[nodiscard]] std::uint16_t name_service_port() const { return name_service_port_; }
    [[nodiscard]] std::uint16_t broker_port() const { return broker_port_; }

    // Of the broker itself, also when it was started by another command.
    [[nodiscard]] pid_t pid() const { return broker_pid_; }

    // kill -9, and waits for the end.
    void kill();
    // SIGTERM, and waits. The exit status; -1 when it ended by a signal or not in time (then it is killed).
    int terminate(std::chrono::milliseconds timeout);
    // Waits for the end by itself; as terminate.
    int wait(std::chrono::milliseconds timeout);
    [[nodiscard]] bool running();
    // Of a process that ended; -1 when by a signal.
    [[nodiscard]] int exit_status() const { return exit_status_; }

    // All that it wrote to standard output and standard error so far.
    [[nodiscard]] std::string log() const;
    // Waits until the log holds `words`; false when it does not in time.
    [[nodiscard]] bool says(const std::string& words, std::chrono::milliseconds timeout) const;

  private:
    void start(const std::vector<std::string>& words);
    void read_ready_line(std::chrono::milliseconds timeout);
    void find_broker();
    void reaped(int status);

    temporary_directory output_;
    pid_t pid_ = -1;
    pid_t broker_pid_ = -1;
    int exit_status_ = -1;
    std::uint16_t name_service_port_ = 0;
    std::uint16_t broker_port_ = 0;
};

} // namespace holdfast::testing
